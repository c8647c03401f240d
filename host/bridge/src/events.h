// Core's events as the ABI's structs: made on the stack for one hook, their handles valid until it
// returns.
//
// Visits the event's fields (grapnel/event_fields.h) and copies or lends those that the ABI's
// struct has by the same name. A field of a new type needs one more lend().
#pragma once

#include <array>
#include <concepts>
#include <cstdint>
#include <filesystem>
#include <string>
#include <type_traits>

#include <grapnel/abi.h>
#include <grapnel/base/utf8.h>
#include <grapnel/copy_on_write.h>
#include <grapnel/event_fields.h>
#include <grapnel/hook_mask.h>

#include "instance_host.h"

namespace grapnel::bridge {

// Whether the hook recurs with every batch, of training or evaluation.
constexpr bool recurs(Hook hook) {
  switch (hook) {
    case Hook::on_validation_batch_start:
    case Hook::on_validation_batch_end:
    case Hook::on_test_batch_start:
    case Hook::on_test_batch_end:
    case Hook::on_predict_batch_start:
    case Hook::on_predict_batch_end:
      return true;
    default:
      return is_within_training_batch(hook);
  }
}

template <class CoreEvent>
Call call_of(Hook hook, CoreEvent& event) {
  Call call;
  call.name = kHookNames[static_cast<std::size_t>(hook)].data();
  call.in_hook = true;
  call.hook = hook;
  call.recurs = recurs(hook);
  call.trainer = &event.trainer;
  if constexpr (std::derived_from<CoreEvent, Event>) {
    call.module = &event.module;
    call.event = &event;
  }
  if constexpr (requires { event.batch_idx; }) call.batch_idx = event.batch_idx;
  return call;
}

template <class AbiEvent, class CoreEvent>
class Translated {
 public:
  Translated(InstanceHost& host, Hook hook, CoreEvent& event) : host_(host) {
    abi_.struct_size = sizeof abi_;
    abi_.hook = static_cast<std::uint32_t>(hook);
    for_each_field<CoreEvent>([&](auto field) {
      if constexpr (requires { field.of(abi_); }) lend(field.of(event), field.of(abi_));
    });
  }
  ~Translated() {
    for_each_field<CoreEvent>([&](auto field) {
      if constexpr (requires { field.of(abi_); }) take_back(field.of(abi_));
    });
  }
  Translated(const Translated&) = delete;
  Translated& operator=(const Translated&) = delete;

  const grapnel_Event* abi() const noexcept {
    return reinterpret_cast<const grapnel_Event*>(&abi_);
  }

 private:
  template <class From, class To>
  requires std::is_integral_v<To>
  void lend(From value, To& to) { to = static_cast<To>(value); }  // numbers and enums
  void lend(Batch& batch, grapnel_batch*& to) {
    constexpr bool before_its_step = !requires(CoreEvent & event) {
      event.outputs;
    };
    host_.batch_is_replaceable = before_its_step;
    to = host_.batch.lend(batch);
  }
  void lend(StepOutput& outputs, grapnel_outputs*& to) { to = host_.outputs.lend(outputs); }
  void lend(const at::Tensor& tensor, grapnel_tensor*& to) {
    to = host_.tensors.borrow(detached_copy(tensor).tensor);
  }
  void lend(const std::filesystem::path& path, grapnel_string& to) { lend(path_text(path), to); }
  void lend(const std::string& text, grapnel_string& to) {
    to = to_abi(texts_[used_++] = to_utf8(text));
  }

  template <class T>
  void take_back(T&) {}
  void take_back(grapnel_batch*&) { host_.batch.take_back(); }
  void take_back(grapnel_outputs*&) { host_.outputs.take_back(); }
  void take_back(grapnel_tensor*& tensor) { host_.tensors.end_borrow(tensor); }

  static constexpr std::size_t count_texts() {
    std::size_t count = 0;
    for_each_field<CoreEvent>([&](auto field) {
      if constexpr (requires(AbiEvent & abi) {
                      { field.of(abi) } -> std::same_as<grapnel_string&>;
                    })
        ++count;
    });
    return count;
  }
  InstanceHost& host_;
  AbiEvent abi_{};
  std::array<std::string, count_texts()> texts_;  // of the ABI's strings
  std::size_t used_ = 0;                          // of these
};

}  // namespace grapnel::bridge
