#include "dispatch/profiler.h"

#include <fmt/format.h>

#include <algorithm>

#include "grapnel/base/files.h"
#include "grapnel/base/json.h"
#include "grapnel/base/text_table.h"

namespace grapnel {

namespace {

std::string seconds_text(double seconds) {
  if (seconds >= 1) return fmt::format("{:.3f} s", seconds);
  if (seconds >= 1e-3) return fmt::format("{:.3f} ms", seconds * 1e3);
  return fmt::format("{:.3f} us", seconds * 1e6);
}

}  // namespace

void Profiler::end(std::string_view who, std::string_view action) {
  const double now = clock_.now();
  const Open done = open_.back();
  open_.pop_back();
  const double seconds = now - done.start;
  if (!open_.empty()) open_.back().inside += seconds;
  ProfileRow& row = this->row(who, action);
  ++row.calls;
  row.seconds += seconds;
  row.own_seconds += seconds - done.inside;
  if (!keep_calls_) return;
  if (calls_.size() < kMostCalls) {
    calls_.push_back({&row, done.start, seconds});
  } else {
    ++dropped_;
  }
}

ProfileRow& Profiler::row(std::string_view who, std::string_view action) {
  auto mine = rows_.find(who);
  if (mine == rows_.end()) mine = rows_.try_emplace(std::string(who)).first;
  auto found = mine->second.find(action);
  if (found == mine->second.end()) {
    found = mine->second.try_emplace(std::string(action)).first;
    found->second.who = who;
    found->second.action = action;
  }
  return found->second;
}

std::vector<ProfileRow> Profiler::rows() const {
  std::vector<ProfileRow> all;
  for (const auto& [who, actions] : rows_) {
    for (const auto& [action, row] : actions) all.push_back(row);
  }
  return all;
}

void Profiler::write_trace(const std::filesystem::path& path) const {
  // Names are written as JSON once, not once per call.
  std::map<const ProfileRow*, std::string> names;
  double begin = 0;
  for (const Call& call : calls_) {
    begin = names.empty() ? call.start : std::min(begin, call.start);
    std::string& text = names[call.row];
    if (!text.empty()) continue;
    text = fmt::format(R"("name":{},"cat":{})",
                       write_json(ConfigValue(call.row->who + "." + call.row->action)),
                       write_json(ConfigValue(call.row->who)));
  }
  AtomicFile file(path, Durability::fast);
  file.write("{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n");
  std::string text;
  for (size_t i = 0; i < calls_.size(); ++i) {
    const Call& call = calls_[i];
    text += fmt::format(R"({{{},"ph":"X","ts":{:.3f},"dur":{:.3f},"pid":1,"tid":1}}{})",
                        names[call.row], (call.start - begin) * 1e6, call.seconds * 1e6,
                        i + 1 < calls_.size() ? ",\n" : "\n");
    if (text.size() < size_t{1} << 16 && i + 1 < calls_.size()) continue;
    file.write(text);
    text.clear();
  }
  file.write("]}\n");
  file.commit();
}

std::string Profile::table() const {
  TextTable table({"action", "    calls", "        mean", "       total", "  share"});
  for (size_t column = 1; column <= 4; ++column) table.align_right(column);
  double accounted = 0;
  const auto share = [&](double seconds) {
    return run_seconds > 0 ? fmt::format("{:.1f} %", 100 * seconds / run_seconds)
                           : std::string("-");
  };
  for (const ProfileRow& row : rows) {
    accounted += row.own_seconds;
    table.add({row.who + "." + row.action, std::to_string(row.calls),
               seconds_text(row.seconds / static_cast<double>(row.calls)),
               seconds_text(row.seconds), share(row.own_seconds)});
  }
  const double elsewhere = std::max(0.0, run_seconds - accounted);
  table.add({"(elsewhere)", "", "", seconds_text(elsewhere), share(elsewhere)});
  table.add({"(the run)", "", "", seconds_text(run_seconds), share(run_seconds)});
  return table.to_text() +
         (sampled ? "Time of callbacks, estimated from one call in 256."
                  : "A share counts the call's own time, without the calls made from it.");
}

}  // namespace grapnel
