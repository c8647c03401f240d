#include <grapnel/plugin.hpp>

#include <chrono>
#include <cstdio>

// Measures the iterations of a hand-written loop. The loop calls two events:
//
//   fabric.call("on_iteration_start");
//   fabric.call("on_iteration_end", arg("iteration", i), arg("loss", loss));
class IterationTimer final : public grapnel::plugin::Callback {
 public:
  IterationTimer() {
    on("on_iteration_start", &IterationTimer::start);
    on("on_iteration_end", &IterationTimer::end,
       {"iteration", {"loss", std::nullopt}, {"label", "iteration"}});
  }

  void start() { started_ = std::chrono::steady_clock::now(); }

  void end(CustomEvent& event, std::int64_t iteration, std::optional<double> loss,
           std::string_view label) {
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - started_;
    event.log("seconds_per_iteration", taken.count());
    char line[128];
    std::snprintf(line, sizeof line, "%.*s %lld took %.1f ms", static_cast<int>(label.size()),
                  label.data(), static_cast<long long>(iteration), taken.count() * 1e3);
    event.log_info(loss ? line + (", loss " + std::to_string(*loss)) : line);
  }

 private:
  std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
};

GRAPNEL_PLUGIN(grapnel::plugin::callback<IterationTimer>("iteration_timer"))
