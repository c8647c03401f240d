#include "callbacks/trace.h"

#include <fmt/format.h>
#include <grapnel/trainer.h>

#include "hook_arguments.h"

namespace grapnel::oracle {

std::string TraceKeyed::state_key() const {
  const std::string quote = quoted_ ? "'" : "";
  return "TraceKeyed{'tag': " + quote + tag() + quote + "}";
}

#define GRAPNEL_HOOK(id, name, EventType, stage, module)              \
  void Trace::name(EventType& event) {                                \
    if constexpr (Hook::name == Hook::on_train_batch_end) ++batches_; \
    journal_.enter(who_, #name, hook_arguments(event));               \
  }
#include "grapnel/hooks.def"
#undef GRAPNEL_HOOK

StateDict Trace::state_dict() const {
  journal_.enter(who_, "state_dict");
  return {{"batches", batches_}};
}

void Trace::load_state_dict(const StateDict& state) {
  batches_ = state.at("batches").to_int();
  journal_.enter(who_, "load_state_dict", fmt::format("batches={}", batches_));
}

HookMask Trace::wanted(const HookMask& overridden) const {
  HookMask mask = overridden;
  for (const Hook hook : {Hook::on_init_start, Hook::on_init_end, Hook::on_after_optimizer_step,
                          Hook::on_checkpoint_written, Hook::on_signal, Hook::on_run_end}) {
    mask.set(hook, false);
  }
  return mask;
}

}  // namespace grapnel::oracle
