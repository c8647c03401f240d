// Callbacks that report each of their hooks: TraceA, TraceB, TraceC (derived from TraceA) and
// TraceKeyed, whose state key comes from a tag.
#pragma once

#include <grapnel/callback.h>

#include <cstdint>
#include <string>

#include "journal.h"

namespace grapnel::oracle {

// A callback of which a case may have several; the tag tells them apart in lists.
class Tagged {
 public:
  explicit Tagged(std::string tag) : tag_(std::move(tag)) {}
  virtual ~Tagged() = default;
  const std::string& tag() const { return tag_; }

 private:
  std::string tag_;
};

class Trace : public Callback {
 public:
  Trace(std::string who, Journal& journal) : who_(std::move(who)), journal_(journal) {}

#define GRAPNEL_HOOK(id, name, EventType, stage, module) void name(EventType& event) override;
#include "grapnel/hooks.def"
#undef GRAPNEL_HOOK

  // {"batches": calls of on_train_batch_end}
  StateDict state_dict() const override;
  void load_state_dict(const StateDict& state) override;

  // Not the hooks that Lightning lacks: they stand in no recording.
  HookMask wanted(const HookMask& overridden) const override;

  std::int64_t batches() const {
    return batches_;
  }

 private:
  std::string who_;
  Journal& journal_;
  std::int64_t batches_ = 0;
};

class TraceA : public Trace {
 public:
  explicit TraceA(Journal& journal, std::string who = "A") : Trace(std::move(who), journal) {}
};

class TraceB final : public Trace {
 public:
  explicit TraceB(Journal& journal, std::string who = "B") : Trace(std::move(who), journal) {}
};

class TraceC final : public TraceA {
 public:
  explicit TraceC(Journal& journal, std::string who = "C") : TraceA(journal, std::move(who)) {}
};

class TraceKeyed final : public Trace, public Tagged {
 public:
  // quoted: the tag is a text, which stands in quotes in the key.
  TraceKeyed(Journal& journal, const std::string& tag, bool quoted)
      : Trace("K" + tag, journal), Tagged(tag), quoted_(quoted) {}
  // "TraceKeyed{'tag': 'x'}"
  std::string state_key() const override;

 private:
  bool quoted_;
};

}  // namespace grapnel::oracle
