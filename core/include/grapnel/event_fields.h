// The fields of each kind of event (events.h), listed once for code that handles events field by
// field: the plugin bridge copies them to the C ABI, Fabric makes them of named arguments.
//
//   for_each_field<TrainBatchEnd>([&](auto field) { print(field.name, field.of(event)); });
//
// A field is a tag: its name, and how to reach a member of that name in any struct. trainer and
// module, which every event has, are not listed. A new field is a member in events.h and a tag in
// the list of its event here; one of a new name is declared below, too.
#pragma once

#include <string_view>

#include "grapnel/events.h"

namespace grapnel {

namespace event_field {

#define GRAPNEL_EVENT_FIELD(field)                          \
  struct field {                                            \
    static constexpr std::string_view name = #field;        \
    template <class E>                                      \
    using Type = decltype(E::field);                        \
    template <class E>                                      \
    static constexpr auto& of(E& event) requires requires { \
      event.field;                                          \
    }                                                       \
    { return event.field; }                                 \
  }
GRAPNEL_EVENT_FIELD(run);
GRAPNEL_EVENT_FIELD(batch);
GRAPNEL_EVENT_FIELD(batch_idx);
GRAPNEL_EVENT_FIELD(outputs);
GRAPNEL_EVENT_FIELD(dataloader_idx);
GRAPNEL_EVENT_FIELD(optimizer);
GRAPNEL_EVENT_FIELD(optimizer_idx);
GRAPNEL_EVENT_FIELD(loss);
GRAPNEL_EVENT_FIELD(exception);
GRAPNEL_EVENT_FIELD(message);
GRAPNEL_EVENT_FIELD(type);
GRAPNEL_EVENT_FIELD(checkpoint);
GRAPNEL_EVENT_FIELD(weights_only);
GRAPNEL_EVENT_FIELD(path);
GRAPNEL_EVENT_FIELD(signal);
GRAPNEL_EVENT_FIELD(outcome);
GRAPNEL_EVENT_FIELD(reason);
#undef GRAPNEL_EVENT_FIELD

template <class... Fields>
struct List {};

// In the order of the struct's members.
// clang-format off
List<> of(InitEvent*);
List<> of(Event*);
List<run> of(StageEvent*);
List<batch, batch_idx> of(TrainBatchStart*);
List<outputs, batch, batch_idx> of(TrainBatchEnd*);
List<batch, batch_idx, dataloader_idx> of(EvalBatchStart*);
List<outputs, batch, batch_idx, dataloader_idx> of(EvalBatchEnd*);
List<optimizer, optimizer_idx> of(OptimizerEvent*);
List<loss> of(BackwardEvent*);
List<exception, message, type> of(ExceptionEvent*);
List<checkpoint, weights_only> of(SaveCheckpoint*);
List<checkpoint> of(LoadCheckpoint*);
List<path> of(CheckpointWritten*);
List<signal> of(SignalEvent*);
List<outcome, reason> of(RunEnd*);
// clang-format on

template <class... Fields, class F>
constexpr void visit(List<Fields...>, F&& f) {
  (f(Fields{}), ...);
}

}  // namespace event_field

// The list of an event's fields.
template <class E>
using EventFields = decltype(event_field::of(static_cast<E*>(nullptr)));

// Calls f with the tag of each field, in order.
template <class E, class F>
constexpr void for_each_field(F&& f) {
  event_field::visit(EventFields<E>{}, f);
}

}  // namespace grapnel
