#include "grapnel/callbacks/tqdm_progress_bar.h"

#include <fmt/format.h>

#include "../support/scripted.h"
#include "catch.h"
#include "grapnel/loggers/memory_logger.h"

namespace tqdm_progress_bar_test {

using namespace grapnel;
using namespace grapnel::test;

namespace {

// Notes everything that is sent to it, one text per event.
class Notebook : public ProgressSink {
 public:
  // Whether somebody looks at each count.
  explicit Notebook(bool watched = true) : watched_(watched) {}

  std::unique_ptr<Bar> make_bar(const BarOptions& options) override {
    pages.push_back(
        {fmt::format("'{}' {}{}{}", options.description, options.position,
                     options.leave ? " leave" : "", options.disable ? " disabled" : "")});
    return std::make_unique<Page>(*this, pages.size() - 1);
  }
  void print(std::string_view line) override { printed += std::string(line) + "\n"; }

  std::vector<std::vector<std::string>> pages;
  std::string printed;

 private:
  class Page : public Bar {
   public:
    Page(Notebook& book, size_t number) : book_(book), number_(number) {}
    void reset() override { note("reset"); }
    void set_total(std::optional<std::int64_t> total) override {
      note("total " + (total ? std::to_string(*total) : "?"));
    }
    void set_description(std::string_view text) override { note("'" + std::string(text) + "'"); }
    bool set_n(std::int64_t n) override {
      note(std::to_string(n));
      return book_.watched_;
    }
    void set_postfix(const Postfix& postfix) override {
      std::string text;
      for (const auto& [name, value] : postfix)
        text += " " + name + "=" + format_postfix_value(value);
      note("postfix" + text);
    }
    void close() override { note("close"); }

   private:
    void note(std::string text) { book_.pages[number_].push_back(std::move(text)); }
    Notebook& book_;
    size_t number_;
  };
  bool watched_;
};

using Events = std::vector<std::string>;

// Logs the losses 0.125, 2, 3 in turn for the bar.
class Barred : public ScriptedModule {
 public:
  Barred() : ScriptedModule({0.5}) {}
  StepOutput training_step(Batch&, int64_t index) override {
    constexpr double kLosses[] = {0.125, 2.0, 3.0};
    log("tl", kLosses[std::min<int64_t>(index, 2)], {.prog_bar = true});
    return (weight * 0.0).sum();
  }
};

std::shared_ptr<Notebook> fit(TQDMProgressBarOptions bar_options, TrainerOptions options, Data data,
                              std::shared_ptr<Notebook> book = std::make_shared<Notebook>()) {
  options.progress = book;
  Barred module;
  Trainer trainer(std::move(options), {std::make_shared<TQDMProgressBar>(bar_options)});
  trainer.fit(module, std::move(data));
  return book;
}

}  // namespace

TEST_CASE(
    "TQDMProgressBar has a bar for the training and a temporary one below it for the validation") {
  TrainerOptions options = quiet(1);
  options.loggers = {std::make_shared<MemoryLogger>()};
  const auto book = fit({}, options, toy_data(3, 2));
  REQUIRE(book->pages.size() == 2);
  CHECK(book->pages[0] == Events{"'Training' 0 leave", "reset", "total 3", "'Epoch 0'", "1",
                                 "postfix v_num=0 tl=0.125", "2", "postfix v_num=0 tl=2.000", "3",
                                 "postfix v_num=0 tl=3.000", "postfix v_num=0 tl=3.000",
                                 "postfix v_num=0 tl=3.000", "close"});
  CHECK(book->pages[1] == Events{"'Validation' 1", "reset", "total 2", "'Validation DataLoader 0'",
                                 "1", "2", "close"});
}

TEST_CASE("refresh_rate skips updates of the bar, but not the last one") {
  const auto book = fit({.refresh_rate = 3}, quiet(1), toy_data(7, 0));
  CHECK(book->pages.at(0) == Events{"'Training' 0 leave", "reset", "total 7", "'Epoch 0'", "3",
                                    "postfix tl=3.000", "6", "postfix tl=3.000", "7",
                                    "postfix tl=3.000", "postfix tl=3.000", "close"});
}

TEST_CASE("metrics are not fetched for an update that isn't drawn") {
  const auto book = fit({}, quiet(1), toy_data(3, 0), std::make_shared<Notebook>(false));
  CHECK(book->pages.at(0) == Events{"'Training' 0 leave", "reset", "total 3", "'Epoch 0'", "1", "2",
                                    "3", "postfix tl=3.000", "close"});
}

TEST_CASE("refresh_rate=0 shows no bar and costs nothing per batch") {
  TrainerOptions options = quiet(1);
  options.num_sanity_val_steps = 1;
  const auto book = fit({.refresh_rate = 0}, options, toy_data(3, 1));
  for (const Events& page : book->pages) {
    CHECK_THAT(page.at(0), Catch::Contains("disabled"));
    for (size_t i = 1; i < page.size(); ++i) CHECK(page[i] == "close");
  }
  const TQDMProgressBar bar({.refresh_rate = 0});
  CHECK_FALSE(bar.wanted(overridden_hooks<TQDMProgressBar>()).test(Hook::on_train_batch_end));
}

TEST_CASE("the bars of the sanity check and of each loader have their names and lengths") {
  TrainerOptions options = quiet(1);
  options.num_sanity_val_steps = 1;
  const Data data(std::make_shared<ToyLoader>(2),
                  DataLoaders{std::make_shared<ToyLoader>(3), std::make_shared<ToyLoader>(2)});
  const auto book = fit({.process_position = 2}, options, data);
  REQUIRE(book->pages.size() == 4);
  CHECK(book->pages[0] == Events{"'Sanity Checking' 4", "reset", "total 1",
                                 "'Sanity Checking DataLoader 0'", "1", "reset", "total 1",
                                 "'Sanity Checking DataLoader 1'", "1", "close", "close"});
  CHECK(book->pages[1] == Events{"'' 0 leave disabled", "close"});
  CHECK(book->pages[2].at(0) == "'Training' 4 leave");
  CHECK(book->pages[3] == Events{"'Validation' 5", "reset", "total 3", "'Validation DataLoader 0'",
                                 "1", "2", "3", "reset", "total 2", "'Validation DataLoader 1'",
                                 "1", "2", "close"});
}

TEST_CASE("validate, test and predict each have a progress bar") {
  const auto book = std::make_shared<Notebook>();
  TrainerOptions options = quiet(1);
  options.progress = book;
  class All : public ToyModule {
   public:
    StepOutput test_step(Batch&, int64_t, int64_t) override { return {}; }
    TensorTree predict_step(Batch& batch, int64_t, int64_t) override { return forward(batch[0]); }
  };
  All module;
  Trainer trainer(options);  // which adds the bar itself
  const DataLoaders loaders{std::make_shared<ToyLoader>(2)};
  trainer.validate(module, Data(loaders));
  trainer.test(module, Data(loaders));
  trainer.predict(module, Data(loaders));
  REQUIRE(book->pages.size() == 3);
  CHECK(book->pages[0] == Events{"'Validation' 0 leave", "reset", "total 2",
                                 "'Validation DataLoader 0'", "1", "2", "close"});
  CHECK(book->pages[1] == Events{"'Testing' 0 leave", "reset", "total 2", "'Testing DataLoader 0'",
                                 "1", "2", "close"});
  CHECK(book->pages[2] == Events{"'Predicting' 0 leave", "reset", "total 2",
                                 "'Predicting DataLoader 0'", "1", "2", "close"});
}

TEST_CASE("leave=true keeps one bar per epoch") {
  const auto book = fit({.leave = true}, quiet(2), toy_data(1, 0));
  REQUIRE(book->pages.size() == 3);  // the first one is made before the first epoch is known
  CHECK(book->pages[1] == Events{"'Training' 0 leave", "reset", "total 1", "'Epoch 0'", "1",
                                 "postfix tl=0.125", "postfix tl=0.125", "close"});
  CHECK(book->pages[2].at(3) == "'Epoch 1'");
}

TEST_CASE("max_steps shortens the progress bar when max_epochs is unlimited") {
  TrainerOptions options = quiet(-1);
  options.max_steps = 5;
  const auto book = fit({}, options, toy_data(4, 0));
  const Events& page = book->pages.at(0);
  CHECK(page.at(2) == "total 4");
  CHECK(std::find(page.begin(), page.end(), "total 1") != page.end());
}

TEST_CASE("a failing run removes its progress bars") {
  class Failing : public ToyModule {
   public:
    StepOutput training_step(Batch&, int64_t) override { throw std::runtime_error("scripted"); }
  };
  // Counts the bars that live.
  class Census : public ProgressSink {
   public:
    struct Counted : Bar {
      explicit Counted(int& count) : living(count) { ++living; }
      ~Counted() override { --living; }
      void reset() override {}
      void set_total(std::optional<std::int64_t>) override {}
      void set_description(std::string_view) override {}
      bool set_n(std::int64_t) override { return true; }
      void set_postfix(const Postfix&) override {}
      void close() override {}
      int& living;
    };
    std::unique_ptr<Bar> make_bar(const BarOptions&) override {
      return std::make_unique<Counted>(living);
    }
    void print(std::string_view) override {}
    int living = 0;
  };
  const auto census = std::make_shared<Census>();
  TrainerOptions options = quiet(1);
  options.progress = census;
  Failing module;
  Trainer trainer(options);
  CHECK_THROWS_WITH(trainer.fit(module, toy_data(1, 0)), "scripted");
  CHECK(census->living == 0);
}

TEST_CASE("metrics in a progress bar are short and of one width") {
  CHECK(format_postfix_value(0.0) == "0.000");
  CHECK(format_postfix_value(1.0) == "1.000");
  CHECK(format_postfix_value(int64_t{12345}) == "12345");
  CHECK(format_postfix_value(int64_t{12345678}) == "1.23e+7");
  CHECK(format_postfix_value(0.12345) == "0.123");
  CHECK(format_postfix_value(0.00012345) == "0.000123");
  CHECK(format_postfix_value(1.23456) == "1.230");
  CHECK(format_postfix_value(123.456) == "123.0");
  CHECK(format_postfix_value(1234567.0) == "1.23e+6");
  CHECK(format_postfix_value(1e-8) == "1e-8");
  CHECK(format_postfix_value(-0.5) == "-0.50");
  CHECK(format_postfix_value(1e10) == "1e+10");
  CHECK(format_postfix_value(std::string("text")) == "text");
}

TEST_CASE("v_num is the logger's version or its end; a metric of that name wins, with a warning") {
  const auto sink = std::make_shared<Notebook>();
  TrainerOptions options = quiet(1);
  options.loggers = {std::make_shared<MemoryLogger>(MemoryLoggerOptions{.version = "experiment"})};
  CHECK_THAT(fit({}, options, toy_data(1, 0))->pages.at(0).at(5), Catch::Contains("v_num=ment"));

  // Of several loggers each version once.
  TrainerOptions several = quiet(1);
  for (const char* version : {"version_3", "version_3", "version_4"}) {
    several.loggers.push_back(
        std::make_shared<MemoryLogger>(MemoryLoggerOptions{.version = version}));
  }
  CHECK_THAT(fit({}, several, toy_data(1, 0))->pages.at(0).at(5), Catch::Contains("v_num=3_4"));

  class Clashing : public ToyModule {
   public:
    StepOutput training_step(Batch&, int64_t) override {
      log("v_num", 7.0, {.prog_bar = true});
      return (weight * 0.0).sum();
    }
  };
  options.progress = sink;
  Clashing module;
  Trainer trainer(options);
  const CapturedLog log;
  trainer.fit(module, toy_data(2, 0));
  CHECK_THAT(sink->pages.at(0).at(5), Catch::Contains("v_num=7.000"));
  CHECK_THAT(log.text(), Catch::Contains("'v_num' in the place of the logger's version"));
}

TEST_CASE("a trainer has at most one progress bar, and none with enable_progress_bar=false") {
  TrainerOptions options = quiet(1);
  const auto bar = [] { return std::make_shared<TQDMProgressBar>(); };
  CHECK_THROWS_WITH(Trainer(options, {bar(), bar()}), Catch::Contains("several progress bars"));
  options.enable_progress_bar = false;
  CHECK_THROWS_WITH(Trainer(options, {bar()}), Catch::Contains("enable_progress_bar=false"));
  CHECK(Trainer(quiet(1)).callbacks().empty());
  CHECK_THROWS_AS(TQDMProgressBar({.refresh_rate = -1}), ConfigError);
}

}  // namespace tqdm_progress_bar_test
