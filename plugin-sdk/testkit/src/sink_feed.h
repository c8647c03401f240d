// Gives a callback that is a metrics sink (ext/metrics_sink.h) what a training logs, as a host does.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <grapnel/testkit/recorded_training.h>

namespace grapnel::testkit {

class SinkFeed {
 public:
  /// record: gets the calls that failed. Does nothing for a callback that is no sink.
  SinkFeed(RunningCallback& callback, RecordedTraining& record);

  /// begin and hyperparameters. False when begin failed, which refuses the run.
  bool begin();
  using Metrics = std::vector<std::pair<std::string, double>>;
  /// All that was logged since: the model's metrics, and the plugin's own.
  void write(bool is_evaluation, const Metrics& of_model = {});
  void end(std::int32_t outcome, std::string_view reason);

 private:
  void note(const char* function, std::int32_t status);
  void hyperparameters();

  RecordingHost& host_;
  grapnel_instance* instance_;
  const grapnel_metrics_sink* sink_;
  RecordedTraining& record_;
  std::size_t taken_ = 0;  // of host_.metrics
  bool begun_ = false;
};

}  // namespace grapnel::testkit
