#include "grapnel/terminal_progress.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <limits>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "grapnel/base/platform.h"
#include "grapnel/base/text.h"
#include "grapnel/base/text_table.h"
#include "progress/bar_line.h"
#include "progress/rich_line.h"
#include "progress/text_style.h"

namespace grapnel {

namespace {

// A finished bar may be drawn this soon after the last drawing: it would stay on the screen
// unfinished while something slow follows.
constexpr double kShortInterval = 0.01;

bool locale_is_utf8() {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const auto value = environment_variable(name);
    if (!value.has_value() || value->empty()) continue;
    return value->find("UTF-8") != std::string::npos || value->find("utf8") != std::string::npos;
  }
  return false;
}

}  // namespace

TerminalOptions TerminalOptions::for_stderr() {
  TerminalOptions options;
  options.write = [](std::string_view text) {
    std::fwrite(text.data(), 1, text.size(), stderr);
    std::fflush(stderr);
  };
  const bool terminal = is_terminal(Stream::error) && environment_variable("TERM") != "dumb";
  options.width = [terminal]() -> std::optional<int> {
    return terminal ? std::optional(terminal_width(Stream::error).value_or(80)) : std::nullopt;
  };
  options.utf8 = locale_is_utf8();
  options.colors = terminal ? terminal_colors() : TerminalColors::none;
  return options;
}

// What is on the screen. The cursor rests at the start of the first bar's line.
class TerminalSink::Screen {
 public:
  explicit Screen(TerminalOptions options)
      : options_(std::move(options)),
        clock_(options_.clock == nullptr ? system_clock() : *options_.clock),
        terminal_(options_.width && options_.width().has_value()) {}

  double now() const { return clock_.now(); }
  // wished: seconds between two drawings on a terminal, if a bar has a wish.
  bool due(double now, bool finished, std::optional<double> wished = {}) const {
    const double last = last_drawn_.load(std::memory_order_relaxed);
    if (terminal_ && finished) return now - last >= kShortInterval;
    return now - last >= (terminal_ ? wished.value_or(options_.interval) : options_.line_interval);
  }
  TerminalColors colors() const { return options_.colors; }
  bool utf8() const { return options_.utf8; }
  // Nothing: no terminal.
  std::optional<int> columns() const { return terminal_ ? options_.width() : std::nullopt; }

  void add(TerminalBar& bar);
  void draw(TerminalBar& bar);
  void print(std::string_view text);
  void close(TerminalBar& bar, bool leave);
  void add(const TerminalText& text);
  void remove(const TerminalText& text);
  // With the lock held: a text has changed.
  void show_change(bool at_once);

  std::mutex mutex;

 private:
  std::string erased() const { return rows_.empty() ? "" : "\r\x1b[J"; }
  // The bars' lines, and the cursor back at the start of the first one.
  std::string frame(int columns);
  void redraw(std::string before, double now);

  TerminalOptions options_;
  const Clock& clock_;
  const bool terminal_;
  std::vector<TerminalBar*> bars_;
  std::vector<const TerminalText*> texts_;  // below the bars, in the order in which they came
  std::vector<bool> rows_;                  // which lines of the last frame had a bar
  int columns_ = 0;                         // of the last frame
  std::atomic<double> last_drawn_ = -std::numeric_limits<double>::infinity();
};

class TerminalSink::TerminalBar final : public Bar {
 public:
  TerminalBar(std::shared_ptr<Screen> screen, const BarOptions& options)
      : screen_(std::move(screen)),
        position_(options.position),
        leave_(options.leave),
        theme_(options.theme) {
    if (options.drawings_per_second) interval_ = 1.0 / *options.drawings_per_second;
    state_.description = printable(options.description);
    started_ = screen_->now();
    if (!options.disable) screen_->add(*this);
  }
  ~TerminalBar() override {
    if (open) screen_->close(*this, /*leave=*/visible());
  }

  void reset() override {
    const std::scoped_lock lock(screen_->mutex);
    n_.store(0, std::memory_order_relaxed);
    started_ = screen_->now();
    first_ = {};
    counted_ = false;
  }
  void set_total(std::optional<std::int64_t> total) override {
    const std::scoped_lock lock(screen_->mutex);
    state_.total = total;
  }
  void set_description(std::string_view description) override {
    const std::scoped_lock lock(screen_->mutex);
    state_.description = printable(description);
  }

  bool set_n(std::int64_t n) override {
    const double now = screen_->now();
    n_.store(n, std::memory_order_relaxed);
    counted_at_.store(now, std::memory_order_relaxed);
    if (!counted_) note_first(n, now);
    if (waiting_) postfix_follows_ = false;  // it didn't come
    waiting_ = open && screen_->due(now, n == state_.total, interval_);
    if (waiting_ && !postfix_follows_) screen_->draw(*this);
    return waiting_;
  }

  void set_postfix(const Postfix& postfix) override {
    {
      const std::scoped_lock lock(screen_->mutex);
      state_.postfix =
          theme_.has_value() ? rich_postfix_texts(postfix, *theme_) : postfix_texts(postfix);
    }
    // Belongs to the last count, or comes on its own.
    if (waiting_) postfix_follows_ = true;
    if (open && (waiting_ || screen_->due(screen_->now(), false, interval_))) screen_->draw(*this);
    waiting_ = false;
  }

  void close() override {
    if (open) screen_->close(*this, leave_ && visible());
  }

  int position() const { return position_; }
  // With the screen's mutex held.
  std::string line(std::optional<int> columns, bool utf8, double now) {
    state_.n = n_.load(std::memory_order_relaxed);
    state_.elapsed = now - started_;
    state_.per_second = rate();
    if (!theme_.has_value() || !columns.has_value()) return bar_line(state_, columns, utf8);
    return rich_line(state_, *columns, {*theme_, screen_->colors(), utf8});
  }

  bool visible() const { return shown || n_.load(std::memory_order_relaxed) > 0; }

  bool open = false;   // on the screen's list
  bool shown = false;  // has been drawn

 private:
  struct Reading {
    std::int64_t n;
    double at;
  };
  void note_first(std::int64_t n, double now) {
    const std::scoped_lock lock(screen_->mutex);
    first_ = {n, now};
    counted_ = true;
  }
  // Up to the last count: what comes after it, a validation say, doesn't slow it down. A resumed
  // epoch doesn't start at 0: from its first count on there is a rate; before the second one, it is
  // that since the start.
  std::optional<double> rate() const {
    const Reading from = state_.n > first_.n ? first_ : Reading{0, started_};
    const double until = counted_at_.load(std::memory_order_relaxed);
    if (state_.n <= from.n || until <= from.at) return std::nullopt;
    return static_cast<double>(state_.n - from.n) / (until - from.at);
  }

  std::shared_ptr<Screen> screen_;
  const int position_;
  const bool leave_;
  const std::optional<BarTheme> theme_;
  std::optional<double> interval_;
  BarState state_;
  std::atomic<std::int64_t> n_ = 0;
  std::atomic<double> counted_at_ = 0.0;
  double started_ = 0.0;
  Reading first_{0, 0.0};  // the first count since reset()
  bool counted_ = false;   // there is one
  bool waiting_ = false;   // the last set_n is to be seen now, and asked for a postfix
  // A caller that gave a postfix for a count always does: count and postfix are drawn at once.
  bool postfix_follows_ = false;
};

class TerminalSink::TerminalText final : public TextArea {
 public:
  explicit TerminalText(std::shared_ptr<Screen> screen) : screen_(std::move(screen)) {
    screen_->add(*this);
  }
  ~TerminalText() override { screen_->remove(*this); }

  void set_lines(std::vector<StyledLine> lines) override {
    for (StyledLine& line : lines) {
      style_sequence(line.style, screen_->colors());  // throws
      line.text = printable(line.text);
    }
    const std::scoped_lock lock(screen_->mutex);
    lines_ = std::move(lines);
    screen_->show_change(/*at_once=*/lines_.empty());
  }

  // With the screen's mutex held.
  void append_to(std::map<int, std::string>& rows, int columns) const {
    int row = rows.empty() ? 0 : rows.rbegin()->first + 1;
    for (const StyledLine& line : lines_) {
      rows[row++] = styled(cut_to_width(line.text, columns), line.style, screen_->colors());
    }
  }

 private:
  std::shared_ptr<Screen> screen_;
  std::vector<StyledLine> lines_;
};

void TerminalSink::Screen::add(const TerminalText& text) {
  const std::scoped_lock lock(mutex);
  texts_.push_back(&text);
}

void TerminalSink::Screen::remove(const TerminalText& text) {
  const std::scoped_lock lock(mutex);
  std::erase(texts_, &text);
  show_change(/*at_once=*/true);
}

void TerminalSink::Screen::show_change(bool at_once) {
  const double at = now();
  if (terminal_ && (at_once || due(at, false))) redraw("", at);
}

void TerminalSink::Screen::add(TerminalBar& bar) {
  const std::scoped_lock lock(mutex);
  bar.open = true;
  bars_.push_back(&bar);
  // Without a terminal the first line comes after the first interval.
  if (!terminal_ && bars_.size() == 1) last_drawn_ = std::max(last_drawn_.load(), now());
}

std::string TerminalSink::Screen::frame(int columns) {
  const double at = now();
  std::map<int, std::string> lines;  // a later bar hides an earlier one in the same place
  for (TerminalBar* bar : bars_) {
    if (bar->visible()) lines[bar->position()] = bar->line(columns - 1, options_.utf8, at);
  }
  for (const TerminalText* text : texts_) text->append_to(lines, columns - 1);
  const size_t height =
      std::max(lines.empty() ? 0 : static_cast<size_t>(lines.rbegin()->first) + 1, rows_.size());
  rows_.resize(height, false);
  std::string out;
  for (size_t row = 0; row < height; ++row) {
    const auto line = lines.find(static_cast<int>(row));
    out += row == 0 ? "\r" : "\n\r";
    if (line != lines.end()) out += line->second;
    if (line != lines.end() || rows_[row]) out += "\x1b[K";
    rows_[row] = line != lines.end();
  }
  if (height > 1) out += fmt::format("\x1b[{}A", height - 1);
  if (height > 0) out += '\r';
  while (!rows_.empty() && !rows_.back()) rows_.pop_back();
  return out;
}

void TerminalSink::Screen::redraw(std::string before, double now) {
  const int columns = options_.width().value_or(80);
  // After a change of width the old lines may have been broken into several.
  if (columns != columns_ && before.empty()) before = erased();
  if (columns != columns_) rows_.clear();
  columns_ = columns;
  const std::string lines = frame(std::max(columns, 2));
  if (!before.empty() || !lines.empty()) options_.write(before + lines);
  last_drawn_.store(now, std::memory_order_relaxed);
}

void TerminalSink::Screen::draw(TerminalBar& bar) {
  const std::scoped_lock lock(mutex);
  bar.shown = true;
  const double at = now();
  if (terminal_) return redraw("", at);
  last_drawn_.store(at, std::memory_order_relaxed);
  options_.write(bar.line(std::nullopt, options_.utf8, at) + "\n");
}

void TerminalSink::Screen::print(std::string_view text) {
  const std::scoped_lock lock(mutex);
  const std::string line = std::string(text) + "\n";
  if (!terminal_) return options_.write(line);
  const std::string before = erased() + line;
  rows_.clear();
  redraw(before, now());
}

void TerminalSink::Screen::close(TerminalBar& bar, bool leave) {
  const std::scoped_lock lock(mutex);
  bar.open = false;
  std::erase(bars_, &bar);
  const double at = now();
  if (!terminal_) {
    if (leave) options_.write(bar.line(std::nullopt, options_.utf8, at) + "\n");
    return;
  }
  if (leave) {
    const int columns = options_.width().value_or(80);
    const std::string before = erased() + bar.line(columns - 1, options_.utf8, at) + "\n";
    rows_.clear();
    return redraw(before, at);
  }
  // A bar that goes and comes many times a second is wiped away with the next drawing.
  if (bars_.empty() || due(at, true)) redraw("", at);
}

TerminalSink::TerminalSink(TerminalOptions options)
    : screen_(std::make_shared<Screen>(std::move(options))) {}

TerminalSink::~TerminalSink() = default;

std::unique_ptr<Bar> TerminalSink::make_bar(const BarOptions& options) {
  return std::make_unique<TerminalBar>(screen_, options);
}

void TerminalSink::print(std::string_view text) {
  screen_->print(text);
}

std::unique_ptr<TextArea> TerminalSink::make_text_area() {
  return screen_->columns().has_value() ? std::make_unique<TerminalText>(screen_) : nullptr;
}

ScreenFacts TerminalSink::facts() const {
  const std::optional<int> columns = screen_->columns();
  ScreenFacts facts{.is_terminal = columns.has_value(), .utf8 = screen_->utf8()};
  if (columns.has_value()) facts.columns = std::max(*columns - 1, 1);
  switch (screen_->colors()) {
    case TerminalColors::none:
      break;
    case TerminalColors::few:
      facts.colors = 8;
      break;
    case TerminalColors::some:
      facts.colors = 256;
      break;
    case TerminalColors::all:
      facts.colors = 1 << 24;
      break;
  }
  return facts;
}

}  // namespace grapnel
