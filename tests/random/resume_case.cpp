#include "resume_case.h"

#include <fmt/format.h>
#include <grapnel/checkpoint.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "child_training.h"
#include "expectations.h"
#include "file_operations.h"
#include "not_yet.h"

namespace grapnel::random_test {

namespace {

namespace fs = std::filesystem;

// From 1: the one at a share of all.
int64_t nth(double share, int64_t all) {
  return all <= 1 ? 1 : 1 + static_cast<int64_t>(share * static_cast<double>(all));
}

// A limit below what was reached without it; 0: there is none.
int64_t smaller(double share, int64_t reached) {
  return reached <= 1 ? 0 : nth(share, reached - 1);
}

StopOrder order_of(const Stop& stop, const Ending& undisturbed) {
  StopOrder order{.stop = stop};
  if (stop.kind == "max_steps") order.limit = smaller(stop.at, undisturbed.global_step);
  if (stop.kind == "max_epochs") order.limit = smaller(stop.at, undisturbed.epochs);
  if (stop.kind == "max_time") {
    order.limit = smaller(stop.at, undisturbed.calls.at("on_train_batch_start"));
  }
  if (stop.hook.empty()) return order;
  if (undisturbed.calls.at(stop.hook) == 0) order.stop.hook = "on_train_batch_end";
  order.call = nth(stop.at, undisturbed.calls.at(order.stop.hook));
  return order;
}

int64_t batches_of(const Ending& undisturbed, int64_t epoch) {
  const std::string start = fmt::format("on_train_batch_start epoch {} ", epoch);
  return std::count_if(undisturbed.trace.begin(), undisturbed.trace.end(),
                       [&](const std::string& line) { return line.starts_with(start); });
}

// What the checkpoint of the last resume tells. ended: by a limit or a request, so that it was written at
// the end of an epoch, of which batches may be left.
void look_at_checkpoint(const fs::path& path, bool ended, const Ending& undisturbed, Facts& facts) {
  facts.from_checkpoint = !path.empty();
  if (path.empty()) return;
  const StateDict checkpoint = load_checkpoint_file(path);
  const StateDict& loop = checkpoint.at("loops").to_dict().at("fit_loop").to_dict();
  const int64_t epoch = checkpoint.at("epoch").to_int();
  const StateDict& progress = loop.at("batch_progress").to_dict().at("current").to_dict();
  facts.within_epoch = progress.at("completed").to_int() < batches_of(undisturbed, epoch);
  facts.was_at_epoch_end = facts.was_at_epoch_end || !facts.within_epoch;
  facts.cut_short = ended && facts.within_epoch;
  facts.at_own_stop = undisturbed.ended_by_request &&
                      checkpoint.at("global_step").to_int() == undisturbed.global_step;
  facts.in_last_epoch = epoch >= undisturbed.epochs - 1;
}

class Case {
 public:
  Case(const Plan& plan, fs::path workspace)
      : plan_(plan), workspace_(std::move(workspace)), directory_(workspace_ / "run") {}

  CaseResult run(bool all);

 private:
  // Trains until the stop; true when the run goes on from it, false when it is over.
  bool stop(const Stop& stop);
  void resume_from_kept();
  TrainingSetup setup() const;

  const Plan& plan_;
  fs::path workspace_;
  fs::path directory_;
  Ending undisturbed_;
  int64_t operations_ = 0;
  fs::path checkpoint_;
  std::vector<MemoryLogger::Row> rows_;
  Ending ending_;  // of the last training
  Facts facts_;
  int resumes_ = 0;
  bool ended_early_ = false;  // by one of the stops so far: what comes at an end has come once more
  std::string senseless_;     // why the plan's stop is none; empty: it is one
};

TrainingSetup Case::setup() const {
  TrainingSetup setup;
  setup.directory = directory_;
  setup.checkpoint = checkpoint_;
  setup.rows = rows_;
  // The first training of a plan always begins with the same weights.
  setup.process_seed = checkpoint_.empty() ? 7 : 99;
  return setup;
}

void Case::resume_from_kept() {
  checkpoint_ = newest_kept(directory_);
  if (checkpoint_.empty()) {
    fs::remove_all(directory_);
    rows_.clear();
  }
}

bool Case::stop(const Stop& stop) {
  TrainingSetup stopped = setup();
  stopped.order = order_of(stop, undisturbed_);
  const bool is_limit = stop.kind.starts_with("max_");
  if (is_limit && stopped.order->limit == 0) {
    senseless_ = "the training is too short for a smaller " + stop.kind;
    return false;
  }
  stopped.snapshot = workspace_ / "snapshot";
  facts_ = Facts{.stop = stopped.order->stop,
                 .was_at_epoch_end = facts_.was_at_epoch_end,
                 .ended_by_request = undisturbed_.ended_by_request};
  if (stop.kind.starts_with("kill")) {
    const int64_t kill_at = stop.kind == "kill_file" ? nth(stop.at, operations_) : 0;
    const ChildEnd end = train_in_child(plan_, stopped, kill_at, workspace_);
    ending_ = {};
    ending_.error = end.error;
    rows_ = undisturbed_.rows;  // those of the child, as far as its checkpoint goes
    resume_from_kept();
    look_at_checkpoint(checkpoint_, false, undisturbed_, facts_);
    return end.error.empty();
  }
  ending_ = train(plan_, stopped);
  if (!ending_.error.empty()) return false;
  rows_ = ending_.rows;
  if (stop.kind == "checkpoint") {
    if (!ending_.stopped) return false;
    fs::remove_all(directory_);
    fs::rename(stopped.snapshot, directory_);
    checkpoint_ = stop_checkpoint(directory_);
    look_at_checkpoint(checkpoint_, false, undisturbed_, facts_);
    return true;
  }
  if (!ending_.stopped && !is_limit) return false;
  resume_from_kept();
  look_at_checkpoint(checkpoint_, is_limit || stop.kind == "request_stop", undisturbed_, facts_);
  if (facts_.cut_short || stop.kind == "request_stop" || stop.kind == "max_time") {
    ended_early_ = true;
  }
  return true;
}

CaseResult Case::run(bool all) {
  CaseResult result;
  count_file_operations();
  undisturbed_ = train(plan_, setup());
  operations_ = file_operations();
  const RunFiles undisturbed_files = read_run_files(directory_);
  fs::remove_all(directory_);
  if (!undisturbed_.error.empty()) {
    result.status = CaseResult::Status::refused;
    result.reason = undisturbed_.error;
    return result;
  }
  if (undisturbed_.calls.at("on_train_batch_start") == 0) {
    result.status = CaseResult::Status::refused;
    result.reason = "there is nothing to train";
    return result;
  }
  result.differences = unmet_expectations(plan_, undisturbed_);

  bool goes_on = true;
  std::optional<std::string> known;
  for (const Stop& next : stops_of(plan_)) {
    goes_on = stop(next);
    if (!known) known = not_exact_yet(plan_, &facts_);
    if (!senseless_.empty()) {
      result.status = CaseResult::Status::refused;
      result.reason = senseless_;
      return result;
    }
    if (!goes_on) break;
    ++result.resumes;
  }
  if (goes_on) {
    ending_ = train(plan_, setup());
  } else if (!ending_.error.empty()) {
    ending_.error = "before the stop: " + ending_.error;
  }
  facts_.nothing_left = ending_.trace.empty();
  const RunFiles files = read_run_files(directory_);
  if (!known) known = not_exact_yet(plan_, &facts_);
  if (known && !all) {
    result.status = CaseResult::Status::left_out;
    result.reason = *known;
    return result;
  }
  const Extent extent = ended_early_ ? Extent::training : Extent::all;
  for (Difference& difference : compare(undisturbed_, undisturbed_files, ending_, files, extent)) {
    if (all || !is_not_looked_at_yet(difference, plan_, facts_)) {
      result.differences.push_back(std::move(difference));
    }
  }
  if (!result.differences.empty()) result.status = CaseResult::Status::differs;
  return result;
}

}  // namespace

CaseResult run_case(const Plan& plan, const fs::path& workspace, bool all) {
  CaseResult result = Case(plan, workspace).run(all);
  for (const auto& entry : fs::directory_iterator(workspace)) fs::remove_all(entry.path());
  return result;
}

}  // namespace grapnel::random_test
