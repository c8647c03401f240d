// The list of each event's fields names all of them, in order.
#include "grapnel/event_fields.h"

#include <string>
#include <vector>

#include "catch.h"
#include "grapnel/hook_mask.h"

namespace event_fields_test {

using namespace grapnel;

namespace {

// Stands for any member in an aggregate's initializer.
struct Any {
  template <class T>
  operator T&() const;
};

template <class Field>
using Another = Any;

// Members that no list has, the last ones: what only the library's own loop can offer.
template <class E>
constexpr bool kOffers = false;
template <>
constexpr bool kOffers<BackwardEvent> = true;  // terms

// An event has as many members, beside those of Event, as its list has fields.
template <class E, class... Fields>
constexpr bool lists_all(event_field::List<Fields...>) {
  constexpr bool enough = requires {
    E{std::declval<Event>(), std::declval<Another<Fields>>()...};
  };
  constexpr bool more = requires {
    E{std::declval<Event>(), std::declval<Another<Fields>>()..., Any()};
  };
  constexpr bool too_many = requires {
    E{std::declval<Event>(), std::declval<Another<Fields>>()..., Any(), Any()};
  };
  return enough && (kOffers<E> ? more && !too_many : !more);
}

template <class E>
std::vector<std::string> names_of() {
  std::vector<std::string> names;
  for_each_field<E>([&](auto field) { names.emplace_back(field.name); });
  return names;
}

#define GRAPNEL_HOOK(id, name, EventType, stage, module)                                    \
  static_assert(std::is_same_v<EventType, Event> || std::is_same_v<EventType, InitEvent> || \
                    lists_all<EventType>(EventFields<EventType>{}),                         \
                "event_fields.h must list each member of " #EventType);
#include "grapnel/hooks.def"
#undef GRAPNEL_HOOK

}  // namespace

TEST_CASE("fields are visited in the order of the members, by name and value") {
  CHECK(names_of<EvalBatchEnd>() ==
        std::vector<std::string>{"outputs", "batch", "batch_idx", "dataloader_idx"});
  CHECK(names_of<Event>().empty());
  struct Numbers {
    int64_t batch_idx = 4;
    int64_t dataloader_idx = 2;
  } numbers;
  int64_t sum = 0;
  for_each_field<EvalBatchStart>([&](auto field) {
    if constexpr (requires { field.of(numbers); }) sum += field.of(numbers)++;
  });
  CHECK(sum == 6);
  CHECK(numbers.batch_idx == 5);
}

}  // namespace event_fields_test
