// The group behaviour, continued: other parameters, and trainings that go another way.
#include <fmt/format.h>

#include <cmath>

#include "subject.h"

namespace grapnel::validation {
namespace {

using testkit::RecordedTraining;
using testkit::run_training;
using testkit::TrainingPlan;

// Refusing what its manifest accepts is its right, with a reason.
Verdict with_parameters(Subject& subject, Parameters which) {
  return subject.each([&](const host::CallbackManifest& callback) {
    if (!has_other_values(callback, which)) return skip("no parameter has such a value");
    Instance instance = subject.start(callback, {}, which);
    if (instance.callback == nullptr) {
      if (instance.host.failures.empty()) {
        return fail("it refuses values that its manifest accepts, and gives no reason");
      }
      return pass("it refuses them: " + instance.refusal);
    }
    const RecordedTraining done = run_training(*instance.callback);
    if (is_status_of_plugin(done.status)) return pass();
    return fail(training_fault(done, instance.host));
  });
}
Verdict parameters_smallest(Subject& subject) {
  return with_parameters(subject, Parameters::smallest);
}
Verdict parameters_largest(Subject& subject) {
  return with_parameters(subject, Parameters::largest);
}
Verdict parameters_null(Subject& subject) {
  return with_parameters(subject, Parameters::null);
}

// Where the usual training fails already there is nothing to compare with.
Verdict with_plans(Subject& subject, const std::vector<TrainingPlan>& plans) {
  return subject.each([&](const host::CallbackManifest& callback) {
    {
      Instance usual = subject.start(callback);
      if (usual.callback == nullptr) return skip("it can't be created: " + usual.refusal);
      if (!run_training(*usual.callback).failed_hook.empty()) return skip("its training fails");
    }
    for (const TrainingPlan& plan : plans) {
      Instance instance = subject.start(callback);
      if (instance.callback == nullptr) return skip("it can't be created: " + instance.refusal);
      const RecordedTraining done = run_training(*instance.callback, plan);
      if (const auto fault = training_fault(done, instance.host); !fault.empty())
        return fail(fault);
    }
    return pass();
  });
}

Verdict exception(Subject& subject) {
  TrainingPlan plan;
  plan.fail_in_batch = 2;
  return with_plans(subject, {plan});
}

Verdict interruption(Subject& subject) {
  TrainingPlan plan;
  plan.signal_in_batch = 2;
  return with_plans(subject, {plan});
}

Verdict evaluations(Subject& subject) {
  std::vector<TrainingPlan> plans(3);
  plans[0].run = GRAPNEL_RUN_VALIDATE;
  plans[1].run = GRAPNEL_RUN_TEST;
  plans[2].run = GRAPNEL_RUN_PREDICT;
  return with_plans(subject, plans);
}

Verdict empty_training(Subject& subject) {
  std::vector<TrainingPlan> plans(2);
  plans[0].batches = plans[0].validation_batches = 0;
  plans[1].epochs = 0;
  return with_plans(subject, plans);
}

Verdict odd_losses(Subject& subject) {
  std::vector<TrainingPlan> plans(3);
  plans[0].loss = [](std::int64_t) { return std::optional<double>(); };
  plans[1].loss = [](std::int64_t step) { return step % 2 == 0 ? std::nan("") : INFINITY; };
  plans[2].loss = [](std::int64_t) { return -1e300; };
  return with_plans(subject, plans);
}

Verdict accumulation(Subject& subject) {
  TrainingPlan plan;
  plan.accumulate_grad_batches = 3;
  plan.sanity_check = plan.checkpoints = false;
  return with_plans(subject, {plan});
}

// Each handler with the values that its arguments accept.
Verdict custom_events(Subject& subject) {
  return subject.each_instance([](Instance& instance) {
    std::vector<std::string> names;
    try {
      names = instance.callback->events();
    } catch (const std::exception& error) {
      return fail(error.what());
    }
    if (names.empty()) return skip("it handles no events of user code");
    for (const std::string& name : names) {
      const grapnel_event_handler& handler = *instance.callback->event_handler(name);
      std::vector<grapnel_value> values;
      for (std::uint32_t i = 0; i < handler.argument_count; ++i) {
        const grapnel_event_argument& argument = *handler.arguments[i];
        grapnel_value value{};
        value.tag = argument.type;
        if (argument.type == GRAPNEL_VALUE_TENSOR) {
          value.u.tensor = instance.host.lend_handle(testkit::FakeTensor::scalar(1));
        }
        values.push_back(value);
      }
      const std::int32_t status = instance.callback->fire_event(name, values);
      if (!is_status_of_plugin(status)) {
        return fail(fmt::format("its handler of {} answered {}", name, status));
      }
    }
    return pass(fmt::format("{} events", names.size()));
  });
}

}  // namespace

std::vector<Check> condition_checks() {
  return {
      {"behaviour.parameters_smallest", "parameters at their minimum are accepted or refused",
       parameters_smallest},
      {"behaviour.parameters_largest", "parameters at their maximum are accepted or refused",
       parameters_largest},
      {"behaviour.parameters_null", "parameters that may be null can be", parameters_null},
      {"behaviour.exception", "it survives an error in the training", exception},
      {"behaviour.interruption", "it survives a signal to the training", interruption},
      {"behaviour.evaluations", "it runs in validate, test and predict, too", evaluations},
      {"behaviour.empty_training", "it survives a training without batches", empty_training},
      {"behaviour.odd_losses", "it survives steps without a finite loss", odd_losses},
      {"behaviour.accumulation", "it runs while gradients are accumulated", accumulation},
      {"behaviour.custom_events", "its handlers of events return statuses that exist",
       custom_events},
  };
}

}  // namespace grapnel::validation
