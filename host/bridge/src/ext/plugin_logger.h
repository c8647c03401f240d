// The metrics sink of a plugin (grapnel/ext/metrics_sink.h) as a logger of a trainer.
//
// It has no directory, name or version, so that those of the user's loggers stay what they are. What is
// logged is kept until save(), which the run calls for every logged step, and given to the plugin in one
// call. A failure of the plugin is a std::system_error, with which a run continues.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <grapnel/events.h>
#include <grapnel/ext/metrics_sink.h>
#include <grapnel/logger.h>

namespace grapnel::bridge {

class PluginInstance;

class PluginLogger final : public Logger {
 public:
  PluginLogger(PluginInstance& instance, Trainer& trainer)
      : instance_(&instance), trainer_(trainer) {}

  // The plugin is disabled: its sink gets what waits, and its end.
  void give_up() noexcept;
  // The instance ends or is disabled: nothing more is logged to it.
  void detach() noexcept { instance_ = nullptr; }
  void note_exception(const ExceptionEvent& event);

  std::string name() const override { return ""; }
  std::string version() const override { return ""; }
  void start() override;
  void log_metrics(const Metrics& metrics, std::int64_t step) override;
  void log_hyperparams(const StateDict& hyper_parameters) override;
  void save() override;
  void finalize(const std::string& status) override;

 private:
  static constexpr std::size_t kMostWaiting = 4096;  // records

  struct Record {
    std::string name;
    grapnel_metric_record abi;
  };

  template <class F>
  void attempt(const char* function, F&& call);
  bool is_evaluation() const;
  void end(std::int32_t outcome);

  PluginInstance* instance_;
  Trainer& trainer_;
  bool begun_ = false;  // and has not ended
  std::vector<Record> waiting_;
  std::size_t lost_ = 0;               // records of this run that the plugin didn't take
  std::string loss_;                   // why, the last time
  std::string lost_hyper_parameters_;  // why they weren't taken; empty: they were
  std::int32_t failure_ = GRAPNEL_OUTCOME_FAILED;  // the outcome, if it isn't a success
  std::string reason_;
};

}  // namespace grapnel::bridge
