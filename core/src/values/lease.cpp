#include "grapnel/lease.h"

#include <exception>
#include <utility>

#include "grapnel/base/log.h"
#include "values/exception_text.h"

namespace grapnel {

namespace {

// The lease ends before its undo runs, so that it runs only once.
void run_undo(const std::string& reason, std::function<void()>& undo) noexcept {
  const std::function<void()> once = std::exchange(undo, nullptr);
  if (!once) return;
  try {
    once();
  } catch (const std::exception& error) {
    log_error("cannot undo '{}': {}", reason, exception_text(error));
  } catch (...) {
    log_error("cannot undo '{}': an exception that is not a std::exception", reason);
  }
}

}  // namespace

Lease& Lease::operator=(Lease&& other) noexcept {
  if (this != &other) {
    end();
    record_ = std::move(other.record_);
  }
  return *this;
}

void Lease::end() noexcept {
  const std::shared_ptr<Record> record = std::exchange(record_, nullptr);
  if (record) run_undo(record->reason, record->undo);
}

void Lease::keep() noexcept {
  if (const std::shared_ptr<Record> record = std::exchange(record_, nullptr)) {
    record->undo = nullptr;
  }
}

bool Lease::active() const {
  return record_ && record_->undo;
}

Lease Leases::take(std::string reason, std::function<void()> undo) {
  std::erase_if(records_, [](const auto& record) {
    const auto alive = record.lock();
    return !alive || !alive->undo;
  });
  auto record = std::make_shared<Lease::Record>();
  record->reason = std::move(reason);
  record->undo = std::move(undo);
  records_.push_back(record);
  return Lease(std::move(record));
}

void Leases::end_all() noexcept {
  // Taken out one by one, because an undo may take or end others.
  while (!records_.empty()) {
    const std::shared_ptr<Lease::Record> record = records_.back().lock();
    records_.pop_back();
    if (record) run_undo(record->reason, record->undo);
  }
}

void Leases::drop_all() noexcept {
  for (const auto& weak : std::exchange(records_, {})) {
    if (const std::shared_ptr<Lease::Record> record = weak.lock()) record->undo = nullptr;
  }
}

std::vector<std::string> Leases::active() const {
  std::vector<std::string> reasons;
  for (const auto& weak : records_) {
    const auto record = weak.lock();
    if (record && record->undo) reasons.push_back(record->reason);
  }
  return reasons;
}

}  // namespace grapnel
