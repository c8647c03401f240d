// A plugin that uses what a C++ runtime has that doesn't like company: exceptions that travel between
// threads, std::current_exception, RTTI, thread locals, streams. Built with clang and libc++, it runs in a
// host of g++ and libstdc++ as if it were alone.
#include <exception>
#include <future>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <grapnel/plugin.hpp>

namespace {

struct Loss {
  virtual ~Loss() = default;
};
struct FiniteLoss final : Loss {
  explicit FiniteLoss(double number) : value(number) {}
  double value;
};

thread_local int calls_of_this_thread = 0;

// The loss, by an exception that another thread throws and this one catches.
double through_another_thread(double loss) {
  auto future = std::async(std::launch::async, [loss]() -> double {
    ++calls_of_this_thread;
    throw std::runtime_error(std::to_string(loss));
  });
  try {
    return future.get();
  } catch (const std::runtime_error& error) {
    const std::exception_ptr kept = std::current_exception();
    try {
      std::rethrow_exception(kept);
    } catch (const std::exception& again) {
      return std::stod(again.what());
    }
  }
}

class Guest final : public grapnel::plugin::Callback {
 public:
  explicit Guest(const Params& params)
      : fail_at_end_(params.get("fail_at_end", false)), title_(params.get("title", "guest")) {}

  void on_train_batch_end(TrainBatchEnd& event) override {
    const std::unique_ptr<Loss> loss =
        std::make_unique<FiniteLoss>(through_another_thread(event.loss()));
    const auto* finite = dynamic_cast<const FiniteLoss*>(loss.get());
    if (finite == nullptr) throw std::logic_error("RTTI is broken");
    losses_.push_back(finite->value);
    if (calls_of_this_thread != 0) throw std::logic_error("thread locals are shared");
    const auto logger = event.logger();
    std::thread([logger, this] {
      if (losses_.size() == 1) logger.info(title_ + " speaks from a thread");
    }).join();
  }

  void on_fit_end(Event& event) override {
    std::ostringstream line;
    double sum = 0;
    for (const double loss : losses_) sum += loss;
    line << title_ << ": " << losses_.size() << " losses, sum " << sum;
    event.log_info(line.str());
    if (fail_at_end_) throw std::out_of_range("asked to fail");
  }

  void save_state(StateWriter& state) const override { state.put("losses", losses_); }
  void load_state(const StateReader& state) override {
    losses_ = state.get<std::vector<double>>("losses");
  }

 private:
  bool fail_at_end_;
  std::string title_;
  std::vector<double> losses_;
};

class Bystander final : public grapnel::plugin::Callback {};

}  // namespace

GRAPNEL_PLUGIN(grapnel::plugin::callback<Guest>("guest"),
               grapnel::plugin::callback<Bystander>("bystander"))
