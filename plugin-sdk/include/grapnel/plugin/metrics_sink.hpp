// A logger: a class that derives from MetricsSink next to Callback gets what the user's loggers get.
//
//   class Mine final : public Callback, public MetricsSink {
//     void write_metrics(Services&, const MetricRecords& records) override;
//   };
//
// The training waits for each call: hand what is slow to a thread of your own. A function may throw: the
// failure is told, and the run continues. See ext/metrics_sink.h. [train-thread]
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include <grapnel/ext/metrics_sink.h>
#include <grapnel/plugin/events.hpp>

namespace grapnel::plugin {
inline namespace GRAPNEL_PLUGIN_NAMESPACE GRAPNEL_PLUGIN_HIDDEN {

/// One logged number; valid until write_metrics returns.
class MetricRecord {
 public:
  explicit MetricRecord(const grapnel_metric_record& raw) noexcept : raw_(&raw) {}
  std::string_view name() const { return detail::from_abi(get<&grapnel_metric_record::name>()); }
  double value() const { return get<&grapnel_metric_record::value>(); }  ///< may be NaN or infinite
  /// The loggers' x-axis: batches after which an optimizer stepped.
  std::int64_t step() const { return get<&grapnel_metric_record::step>(); }
  std::int64_t epoch() const { return get<&grapnel_metric_record::epoch>(); }  ///< from 0
  double time() const { return get<&grapnel_metric_record::time>(); }  ///< seconds since 1970, UTC
  bool in_evaluation() const {  ///< logged in or after a validation or test
    return (get<&grapnel_metric_record::flags>() & GRAPNEL_RECORD_EVALUATION) != 0;
  }

 private:
  template <auto Field>
  const detail::ValueOf<Field>& get() const {
    return detail::field<Field>(*raw_, "this host's record of a metric");
  }
  const grapnel_metric_record* raw_;
};

/// One hyperparameter; valid until hyperparameters() returns. A nested one is "optimizer.lr".
class Hyperparameter {
 public:
  explicit Hyperparameter(const grapnel_hyperparameter& raw) noexcept : raw_(&raw) {}
  std::string_view name() const { return detail::from_abi(get<&grapnel_hyperparameter::name>()); }
  /// GRAPNEL_VALUE_NONE, BOOL, I64, F64 or STRING.
  std::int32_t type() const { return value().tag; }
  std::optional<bool> as_bool() const {
    if (type() != GRAPNEL_VALUE_BOOL) return {};
    return value().u.i64 != 0;
  }
  std::optional<std::int64_t> as_integer() const {
    if (type() != GRAPNEL_VALUE_I64) return {};
    return value().u.i64;
  }
  std::optional<double> as_number() const {
    if (type() != GRAPNEL_VALUE_F64) return {};
    return value().u.f64;
  }
  std::optional<std::string_view> as_string() const {
    if (type() != GRAPNEL_VALUE_STRING) return {};
    return std::string_view(value().u.string, static_cast<std::size_t>(value().size));
  }

 private:
  const grapnel_value& value() const { return get<&grapnel_hyperparameter::value>(); }
  template <auto Field>
  const detail::ValueOf<Field>& get() const {
    return detail::field<Field>(*raw_, "this host's hyperparameter");
  }
  const grapnel_hyperparameter* raw_;
};

/// A list of the host's, by index.
template <class Item, class Raw>
class HostList {
 public:
  HostList(const Raw* const* items, std::uint64_t count) noexcept
      : items_(items), count_(static_cast<std::size_t>(count)) {}
  std::size_t size() const { return count_; }
  Item operator[](std::size_t i) const { return Item(*items_[i]); }

 private:
  const Raw* const* items_;
  std::size_t count_;
};
using MetricRecords = HostList<MetricRecord, grapnel_metric_record>;
using Hyperparameters = HostList<Hyperparameter, grapnel_hyperparameter>;

class MetricsSink {
 public:
  virtual ~MetricsSink() = default;
  /// Before the first record of a run. Throw to refuse the run.
  virtual void begin_metrics(Services&) {}
  virtual void write_hyperparameters(Services&, const Hyperparameters&) {}
  /// At each logged step and at the ends of epochs, in the order in which they were logged.
  virtual void write_metrics(Services&, const MetricRecords&) = 0;
  /// Once per begin_metrics, however the run ends. reason: of a stop or failure.
  virtual void end_metrics(Services&, Outcome, std::string_view /*reason*/) {}
};

}  // namespace GRAPNEL_PLUGIN_HIDDEN
}  // namespace grapnel::plugin
