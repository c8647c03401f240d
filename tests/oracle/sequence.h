// Plays a case: builds its parts and makes its calls, through the library's public functions alone.
#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include "../support/captured_log.h"
#include "journal.h"
#include "oracle_data.h"
#include "oracle_module.h"

namespace grapnel::oracle {

class Player {
 public:
  // test: with its directory filled in; it must outlive the player.
  Player(const Case& test, std::filesystem::path directory);
  ~Player();

  // Makes all calls. What one throws is kept for observed(), as the recordings keep it.
  void play();

  // What the case's `expect` has, as it was seen here: an object with the same keys.
  Json observed() const;

  const Journal& journal() const { return journal_; }
  std::vector<test::LogRecorder::Message> log_messages() const { return log_->messages(); }

 private:
  void make_call(const Json& call);
  void prepare(const Json& call);
  Json run(const Json& call);
  Data data_for(const std::string& call);
  Json observe(const std::string& key) const;
  Json exception_json(const std::exception_ptr& exception, std::size_t call) const;

  const Case& test_;
  std::filesystem::path directory_;
  Journal journal_;
  std::shared_ptr<test::LogRecorder> log_ = std::make_shared<test::LogRecorder>(LogLevel::info);
  ScopedLogSink scoped_log_;
  std::unique_ptr<OracleModule> module_;
  std::unique_ptr<OracleDataModule> data_module_;
  std::unique_ptr<Trainer> trainer_;
  bool fitted_ = false;  // with this trainer

  Json exception_;
  Json errors_ = Json::array();   // of calls with continue_on_error
  Json results_ = Json::array();  // of each call
};

}  // namespace grapnel::oracle
