// The picture of the loop above class Callback is a promise: what it shows is what happens.
#include <algorithm>
#include <fstream>
#include <regex>
#include <sstream>

#include "../support/recorder.h"
#include "catch.h"
#include "toy.h"

namespace loop_picture_test {

using namespace grapnel;
using namespace grapnel::test;

namespace {

// One line of the picture: a hook or function, a loop around what is indented below it, or something
// that happens without one.
struct Node {
  std::string text;
  std::vector<Node> children;
};

std::vector<Node> parse(const std::vector<std::pair<size_t, std::string>>& lines, size_t& at,
                        size_t indent) {
  std::vector<Node> nodes;
  while (at < lines.size() && lines[at].first >= indent) {
    if (lines[at].first > indent) {
      nodes.back().children = parse(lines, at, lines[at].first);
    } else {
      nodes.push_back({lines[at++].second, {}});
    }
  }
  return nodes;
}

std::vector<Node> picture() {
  std::ifstream header(GRAPNEL_CALLBACK_HEADER);
  REQUIRE(header.good());
  std::vector<std::pair<size_t, std::string>> lines;
  std::string line;
  bool inside = false;
  while (std::getline(header, line)) {
    if (line == "//   fit:") {
      inside = true;
      continue;
    }
    if (!inside) continue;
    if (line.size() < 4) break;
    const size_t indent = line.find_first_not_of("/ ");
    std::string text = line.substr(indent);
    text = std::regex_replace(text, std::regex("  +.*$"), "");  // a remark at the end of a line
    lines.emplace_back(indent, text);
  }
  size_t at = 0;
  return parse(lines, at, lines.front().first);
}

// How often each loop of the picture goes round in the run that is recorded.
struct Counts {
  int epochs = 2;
  int batches = 2;
  int val_batches = 2;
};

// The calls that the picture promises for a run, as the recorders write them.
void expand(const std::vector<Node>& nodes, const Counts& counts, int batch, Trace& trace) {
  for (const Node& node : nodes) {
    std::string text = node.text;
    const auto strip = [&](const std::string& characters) {
      text.erase(std::remove_if(text.begin(), text.end(),
                                [&](char c) { return characters.find(c) != std::string::npos; }),
                 text.end());
    };
    if (text.rfind("for each epoch", 0) == 0) {
      for (int i = 0; i < counts.epochs; ++i) expand(node.children, counts, batch, trace);
    } else if (text.rfind("for each batch of each loader", 0) == 0) {
      for (int i = 0; i < counts.val_batches; ++i) expand(node.children, counts, i, trace);
    } else if (text.rfind("for each batch", 0) == 0) {
      for (int i = 0; i < counts.batches; ++i) expand(node.children, counts, i, trace);
    } else if (text.rfind("[validation", 0) == 0) {
      if (batch == counts.batches - 1) expand(node.children, counts, batch, trace);
    } else if (text.front() == '[' || text.front() == '(') {
      continue;  // a case that doesn't arise, or something without a hook
    } else {
      const bool several = text.find(", ") != std::string::npos;
      strip("]:");
      const std::string last = several ? text.substr(text.find(", ") + 2) : "";
      for (std::string name : several
                                  ? std::vector<std::string>{text.substr(0, text.find(", ")), last}
                                  : std::vector<std::string>{text}) {
        name = name.substr(0, name.find('('));
        if (name.rfind("module.", 0) == 0 || name.rfind("data.", 0) == 0 ||
            name.rfind("cb.", 0) == 0) {
          trace.push_back(name);
        } else {
          trace.push_back("cb." + name);
          trace.push_back("module." + name);
        }
      }
      expand(node.children, counts, batch, trace);
    }
  }
}

class TracedModule : public ToyModule {
 public:
  explicit TracedModule(Trace& trace) : trace_(trace) {}

#define GRAPNEL_NOTE_0(name, EventType)
#define GRAPNEL_NOTE_1(name, EventType) \
  void name(EventType&) override {      \
    note(#name);                        \
  }
#define GRAPNEL_HOOK(id, name, EventType, stage, module) GRAPNEL_NOTE_##module(name, EventType)
#include "grapnel/hooks.def"
#undef GRAPNEL_HOOK
#undef GRAPNEL_NOTE_0
#undef GRAPNEL_NOTE_1

  std::vector<CallbackHandle> configure_callbacks() override {
    return note("configure_callbacks"), std::vector<CallbackHandle>{};
  }
  void configure_model() override {
    note("configure_model");
  }
  OptimizerConfig configure_optimizers() override {
    note("configure_optimizers");
    return ToyModule::configure_optimizers();
  }
  StepOutput training_step(Batch& batch, int64_t i) override {
    note("training_step");
    return ToyModule::training_step(batch, i);
  }
  StepOutput validation_step(Batch& batch, int64_t i, int64_t loader) override {
    note("validation_step");
    return ToyModule::validation_step(batch, i, loader);
  }
  void backward(const at::Tensor& loss) override {
    note("backward");
    Module::backward(loss);
  }
  void optimizer_step(int64_t epoch, int64_t i, Optimizer& optimizer,
                      const Closure& closure) override {
    note("optimizer_step");
    Module::optimizer_step(epoch, i, optimizer, closure);
  }
  void optimizer_zero_grad(int64_t epoch, int64_t i, Optimizer& optimizer) override {
    note("optimizer_zero_grad");
    Module::optimizer_zero_grad(epoch, i, optimizer);
  }
  void configure_gradient_clipping(Optimizer& optimizer, std::optional<double> value,
                                   std::optional<ClipAlgorithm> algorithm) override {
    note("configure_gradient_clipping");
    Module::configure_gradient_clipping(optimizer, value, algorithm);
  }
  void on_validation_model_zero_grad() override {
    note("on_validation_model_zero_grad");
  }
  void on_validation_model_eval() override {
    note("on_validation_model_eval");
  }
  void on_validation_model_train() override {
    note("on_validation_model_train");
  }

 private:
  void note(const std::string& name) {
    trace_.push_back("module." + name);
  }
  Trace& trace_;
};

class TracedData : public DataModule {
 public:
  explicit TracedData(Trace& trace, Counts counts) : trace_(trace), counts_(counts) {}
  void prepare_data() override { trace_.push_back("data.prepare_data"); }
  void setup(RunKind) override { trace_.push_back("data.setup"); }
  void teardown(RunKind) override { trace_.push_back("data.teardown"); }
  std::shared_ptr<DataLoader> train_dataloader() override {
    return std::make_shared<ToyLoader>(counts_.batches);
  }
  DataLoaders val_dataloaders() override {
    return {std::make_shared<ToyLoader>(counts_.val_batches)};
  }

 private:
  Trace& trace_;
  Counts counts_;
};

}  // namespace

TEST_CASE("fit calls the hooks in the order that the picture above Callback draws") {
  const Counts counts;
  Trace expected;
  expand(picture(), counts, 0, expected);
  REQUIRE(expected.size() > 60);

  Trace trace;
  TracedModule module(trace);
  TracedData data(trace, counts);
  Trainer trainer(quiet(counts.epochs), {std::make_shared<Recorder>(trace)});
  trace.clear();  // on_init_start and on_init_end come before any run
  trainer.fit(module, data);

  for (size_t i = 0; i < std::min(trace.size(), expected.size()); ++i) {
    INFO("call " << i);
    REQUIRE(trace[i] == expected[i]);
  }
  CHECK(trace.size() == expected.size());
}

TEST_CASE("every hook of hooks.def is in the comment above Callback") {
  std::ifstream header(GRAPNEL_CALLBACK_HEADER);
  std::stringstream text;
  text << header.rdbuf();
  const std::string comment = text.str().substr(0, text.str().find("#pragma once"));
  for (std::string_view hook : kHookNames) {
    std::string name(hook);
    // test and predict are told of by what stands for them.
    if (name.rfind("on_test_", 0) == 0) name = "on_test_...";
    if (name.rfind("on_predict_", 0) == 0) name = "on_predict_...";
    if (name.rfind("on_init_", 0) == 0) continue;  // before any run
    INFO(name);
    CHECK(comment.find(name) != std::string::npos);
  }
}

}  // namespace loop_picture_test
