#include "sink_feed.h"

#include <array>
#include <vector>

namespace grapnel::testkit {

SinkFeed::SinkFeed(RunningCallback& callback, RecordedTraining& record)
    : host_(callback.host()),
      instance_(callback.abi()),
      sink_(callback.metrics_sink()),
      record_(record),
      taken_(host_.metrics.size()) {}

bool SinkFeed::begin() {
  if (sink_ == nullptr) return true;
  if (GRAPNEL_HAS(sink_, begin) && sink_->begin != nullptr) {
    const std::int32_t status = sink_->begin(instance_);
    note("begin", status);
    if (status != GRAPNEL_OK) return false;
  }
  begun_ = true;
  hyperparameters();
  return true;
}

void SinkFeed::hyperparameters() {
  if (!GRAPNEL_HAS(sink_, hyperparameters) || sink_->hyperparameters == nullptr) return;
  grapnel_hyperparameter rate{}, name{};
  rate.struct_size = name.struct_size = sizeof rate;
  rate.name = to_abi("optimizer.lr");
  rate.value.tag = GRAPNEL_VALUE_F64;
  rate.value.u.f64 = 0.1;
  name.name = to_abi("model");
  name.value.tag = GRAPNEL_VALUE_STRING;
  const std::string_view model = "linear";
  name.value.size = model.size();
  name.value.u.string = model.data();
  const std::array<const grapnel_hyperparameter*, 2> all = {&name, &rate};
  note("hyperparameters", sink_->hyperparameters(instance_, all.data(), all.size()));
}

void SinkFeed::write(bool is_evaluation, const Metrics& of_model) {
  if (!begun_) return;
  std::vector<grapnel_metric_record> records;
  const auto add = [&](const std::string& name, double value) {
    grapnel_metric_record record{};
    record.struct_size = sizeof record;
    record.flags = is_evaluation ? GRAPNEL_RECORD_EVALUATION : 0;
    record.name = to_abi(name);
    record.value = value;
    record.step = host_.trainer.global_step;
    record.epoch = host_.trainer.current_epoch;
    record.time = 1.7e9 + static_cast<double>(host_.trainer.global_step);  // a second a step
    records.push_back(record);
  };
  for (const auto& [name, value] : of_model) add(name, value);
  for (; taken_ < host_.metrics.size(); ++taken_) {
    add(host_.metrics[taken_].name, host_.metrics[taken_].value);
  }
  if (records.empty()) return;
  std::vector<const grapnel_metric_record*> pointers;
  for (const grapnel_metric_record& record : records) pointers.push_back(&record);
  note("write", sink_->write(instance_, pointers.data(), pointers.size()));
}

void SinkFeed::end(std::int32_t outcome, std::string_view reason) {
  if (!begun_) return;
  begun_ = false;
  if (!GRAPNEL_HAS(sink_, end) || sink_->end == nullptr) return;
  note("end", sink_->end(instance_, outcome, to_abi(reason)));
}

void SinkFeed::note(const char* function, std::int32_t status) {
  std::string call = std::string("metrics_sink.") + function;
  if (status == GRAPNEL_OK) {
    record_.sink_calls.push_back(std::move(call));
  } else {
    record_.sink_calls.push_back(call + " answered " + std::to_string(status));
  }
}

}  // namespace grapnel::testkit
