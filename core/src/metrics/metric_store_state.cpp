// The accumulated values of a MetricStore in checkpoints.
#include "metrics/metric_store.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace grapnel {

StateDict MetricStore::state_dict(bool before_mark) const {
  StateList list;
  StateList order;
  for (const Metric& metric : metrics_) {
    order.emplace_back(StateList{metric.function, metric.name});
    const Values& values = before_mark && metric.changed_at == mark_ ? metric.before : metric.now;
    if (values.has_reset) continue;
    StateDict one{{"function", metric.function},
                  {"name", metric.name},
                  {"on_step", metric.on_step},
                  {"on_epoch", metric.on_epoch},
                  {"prog_bar", metric.prog_bar},
                  {"logger", metric.logger},
                  {"reduce", static_cast<int64_t>(metric.reduce)},
                  {"add_dataloader_idx", metric.add_dataloader_idx},
                  {"value", values.accumulated.number()},
                  {"weight", values.weight},
                  {"global_step", values.global_step}};
    if (values.has_step_value) one["step_value"] = values.step_value.number();
    list.emplace_back(std::move(one));
  }
  return {{"metrics", std::move(list)}, {"order", std::move(order)}};
}

void MetricStore::load_state_dict(const StateDict& state) {
  std::vector<Metric> loaded;
  for (const StateValue& value : state.at("metrics").to_list()) {
    const StateDict& one = value.to_dict();
    Metric metric{};
    metric.function = one.at("function").to_string();
    metric.name = one.at("name").to_string();
    metric.on_step = one.at("on_step").to_bool();
    metric.on_epoch = one.at("on_epoch").to_bool();
    metric.prog_bar = one.at("prog_bar").to_bool();
    metric.logger = one.at("logger").to_bool();
    metric.reduce = static_cast<Reduce>(one.at("reduce").to_int());
    metric.add_dataloader_idx = one.at("add_dataloader_idx").to_bool();
    metric.now.accumulated = one.at("value").to_double();
    metric.now.weight = one.at("weight").to_double();
    metric.now.global_step = one.at("global_step").to_int();
    if (const StateValue* step = one.find("step_value")) {
      metric.now.step_value = step->to_double();
      metric.now.has_step_value = true;
    }
    loaded.push_back(std::move(metric));
  }
  metrics_.clear();
  const StateValue* order = state.find("order");
  for (const StateValue& value : order == nullptr ? StateList() : order->to_list()) {
    const StateList& key = value.to_list();
    const auto own = std::find_if(loaded.begin(), loaded.end(), [&](const Metric& metric) {
      return metric.function == key.at(0).to_string() && metric.name == key.at(1).to_string();
    });
    if (own != loaded.end()) {
      metrics_.push_back(std::move(*own));
      loaded.erase(own);
      continue;
    }
    Metric& place = metrics_.emplace_back(
        Metric{.function = key.at(0).to_string(), .name = key.at(1).to_string(), .is_place = true});
    place.restart();
  }
  std::move(loaded.begin(), loaded.end(), std::back_inserter(metrics_));
  last_ = 0;
}

}  // namespace grapnel
