// The `log` directives of a case: what a module or callback logs, in which hook, with which values.
#pragma once

#include <ATen/core/Tensor.h>
#include <grapnel/log_options.h>

#include <cstdint>
#include <functional>
#include <string_view>
#include <utility>
#include <vector>

#include "json.h"

namespace grapnel {
class Trainer;
}

namespace grapnel::oracle {

class Directives {
 public:
  // Where a directive runs.
  struct Moment {
    Trainer& trainer;
    std::int64_t batch_idx = 0;
    at::Tensor loss;  // undefined where there is none
  };
  // Logs one value.
  using Log = std::function<void(const std::string&, const LogValue&, const LogOptions&)>;

  explicit Directives(const Json& list);

  // Is there one for this hook?
  bool has(std::string_view hook) const;
  // Runs those of a hook, in their order.
  void run(std::string_view hook, const Moment& moment, const Log& log);

 private:
  struct Directive {
    Json spec;
    std::int64_t calls = 0;  // outside of sanity checks
  };
  std::vector<Directive> directives_;
};

}  // namespace grapnel::oracle
