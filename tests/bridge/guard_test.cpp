// The guard: whatever a plugin's code does to the thread or the process, it is undone and named.
#include <ATen/core/grad_mode.h>
#include <c10/core/GradMode.h>
#include <c10/core/InferenceMode.h>

#include <cfenv>
#include <clocale>
#include <csignal>
#include <cstdlib>
#include <filesystem>

#include "../../host/bridge/src/floating_point.h"
#include "catch.h"
#include "support/in_process_plugin.h"
#include "support/toy_training.h"
#include "temp_dir.h"

namespace guard_test {

using namespace grapnel;
using namespace grapnel::test;

namespace {

// Flush denormals to zero, as code built with -ffast-math does when it is loaded.
void flip_denormals() {
#if defined(__x86_64__)
  _mm_setcsr(_mm_getcsr() | 0x8040);
#else
  std::fesetround(FE_TOWARDZERO);
#endif
}

void on_signal(int) {}

}  // namespace

TEST_CASE("a plugin runs without gradients and outside of inference mode, wherever its hook is") {
  InProcessPlugin plugin;
  int calls = 0;
  const auto look = [&](const Caller&, const grapnel_Event*) {
    CHECK(!c10::GradMode::is_enabled());
    CHECK(!c10::InferenceMode::is_enabled());
    ++calls;
    return GRAPNEL_OK;
  };
  plugin.on(Hook::on_train_batch_start, look);
  plugin.on(Hook::on_validation_batch_end, look);
  plugin.on(Hook::on_predict_batch_end, look);
  Toy toy;
  bool inference_in_predict = false;
  toy.module.during_step = [&](const std::string& stage, Batch&) {
    CHECK(c10::GradMode::is_enabled() == (stage == "train"));
    if (stage == "predict") inference_in_predict = c10::InferenceMode::is_enabled();
  };
  toy.fit({plugin.handle()});
  CHECK(calls == 4 + 2);
  toy.predict({plugin.handle()});
  CHECK(calls == 4 + 2 + 2);
  CHECK(inference_in_predict);
}

TEST_CASE("a tensor made in a predict hook can be trained with") {
  InProcessPlugin plugin;
  bool inference = true;
  plugin.on(Hook::on_predict_batch_start, [&](const Caller& caller, const grapnel_Event*) {
    grapnel_tensor* tensor = caller.floats({1});
    std::vector<grapnel_value> doubled(1), is_inference(1);
    CHECK(caller.call("aten::add", "Tensor", {value_of(tensor), value_of(tensor)}, doubled) ==
          GRAPNEL_OK);
    CHECK(caller.call("aten::is_inference", "", {doubled[0]}, is_inference) == GRAPNEL_OK);
    inference = is_inference[0].u.i64 == 1;
    caller.tensors().release(caller.host, doubled[0].u.tensor);
    return caller.tensors().release(caller.host, tensor);
  });
  Toy toy;
  toy.predict({plugin.handle()});
  CHECK(!inference);
}

TEST_CASE("thread modes that a hook changes are restored, and reported once") {
  CapturedLog log;
  InProcessPlugin plugin;
  plugin.on(Hook::on_train_batch_start, [](const Caller&, const grapnel_Event*) {
    c10::GradMode::set_enabled(true);
    flip_denormals();
    return GRAPNEL_OK;
  });
  plugin.on(Hook::on_after_backward, [](const Caller&, const grapnel_Event*) {
    c10::AutogradState::get_tls_state().set_inference_mode(true);
    return GRAPNEL_OK;
  });
  const auto floating_point = bridge::FloatingPoint::current();
  Toy toy;
  toy.module.during_step = [&](const std::string&, Batch&) {
    CHECK(bridge::FloatingPoint::current() == floating_point);
  };
  toy.fit({plugin.handle()});
  CHECK(bridge::FloatingPoint::current() == floating_point);
  CHECK(c10::GradMode::is_enabled());
  CHECK(!c10::InferenceMode::is_enabled());
  CHECK(log.count("[probe] changed the grad mode of the training thread in on_train_batch_start; "
                  "restored") == 1);
  CHECK(log.count("[probe] changed the floating-point environment") == 1);
  CHECK(log.count("[probe] changed the inference mode") == 1);
}

TEST_CASE("thread modes are restored after a failing hook, too") {
  InProcessPlugin plugin;
  plugin.on(Hook::on_train_start, [](const Caller&, const grapnel_Event*) {
    c10::GradMode::set_enabled(true);
    flip_denormals();
    return GRAPNEL_ERROR;
  });
  const auto floating_point = bridge::FloatingPoint::current();
  const at::NoGradGuard no_grad;
  Toy toy;
  CHECK_THROWS(toy.fit({plugin.handle()}));
  CHECK(bridge::FloatingPoint::current() == floating_point);
  CHECK(!c10::GradMode::is_enabled());
}

TEST_CASE("changes to the process by create and init are undone and named") {
  TempDir elsewhere;
  CapturedLog log;
  InProcessPlugin plugin;
  plugin.create = [&](const Caller&) {
    std::filesystem::current_path(elsewhere.path());
    setenv("GRAPNEL_TEST_VARIABLE", "set", 1);
    return GRAPNEL_OK;
  };
  plugin.init = [](const Caller&) {
    std::signal(SIGUSR1, on_signal);
    std::setlocale(LC_NUMERIC, "C.UTF-8");
    return GRAPNEL_OK;
  };
  const auto directory = std::filesystem::current_path();
  const std::string locale = std::setlocale(LC_ALL, nullptr);
  plugin.make();
  CHECK(std::filesystem::current_path() == directory);
  CHECK(std::getenv("GRAPNEL_TEST_VARIABLE") == nullptr);
  CHECK(std::signal(SIGUSR1, SIG_DFL) == SIG_DFL);
  CHECK(std::setlocale(LC_ALL, nullptr) == locale);
  CHECK(log.count("[probe] changed the working directory") == 1);
  CHECK(log.count("[probe] changed the environment variable GRAPNEL_TEST_VARIABLE") == 1);
  CHECK(log.count("[probe] changed the handler of SIGUSR1 in init") == 1);
  CHECK(log.count("[probe] changed the locale") == 1);
}

#if defined(__x86_64__)
TEST_CASE("the precision of long double arithmetic is restored, whichever batch changed it") {
  const auto word = [] {
    unsigned short now = 0;
    __asm__ volatile("fnstcw %0" : "=m"(now));
    return now;
  };
  const unsigned short before = word();
  CapturedLog log;
  InProcessPlugin plugin;
  plugin.on(Hook::on_train_batch_end, [&](const Caller&, const grapnel_Event* raw) {
    if (reinterpret_cast<const grapnel_TrainBatchEnd*>(raw)->batch_idx != 21) return GRAPNEL_OK;
    const unsigned short single = static_cast<unsigned short>(before & ~0x0300);
    __asm__ volatile("fldcw %0" : : "m"(single));
    return GRAPNEL_OK;
  });
  Toy toy;
  toy.train = std::make_shared<ToyLoader>(600);
  toy.options.max_epochs = 2;
  bridge::PluginCallbackOptions options;
  options.links_libtorch = false;  // then a batch's call isn't looked at closely
  toy.fit({plugin.handle(options)});
  CHECK(word() == before);
  INFO(log.text());
  CHECK(log.count("of the training thread was changed before on_train_batch_end") == 1);
}
#endif

}  // namespace guard_test
