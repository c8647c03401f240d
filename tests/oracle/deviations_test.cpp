// Rules about what deviates: each must take what the library does for right, and nothing near it.
//
// The cases are made up here; what holds is what the library does with them, what doesn't is that with
// one fault in it.
#include "deviations.h"

#include "catch.h"
#include "rule_parts.h"
#include "run_case.h"

namespace grapnel::oracle::deviations_test {
namespace {

Json json(const std::string& text) {
  return parse_json(text, "a made-up case");
}

// expect: its keys are what is observed.
Case made_up(const std::string& text, const std::string& expect) {
  Case test;
  test.name = "made_up";
  test.document = json(text);
  test.document.set("expect", json(expect));
  test.entry = "fit";
  return test;
}

Json play(const Case& test) {
  std::vector<std::string> log;
  return observe_case(test, log);
}

const Deviation& rule(std::string_view name) {
  for (const Deviation& deviation : deviations()) {
    if (deviation.name == name) return deviation;
  }
  throw std::out_of_range("no such rule");
}

bool applies(std::string_view name, const Case& test) {
  return rule(name).applies(test);
}

bool holds(std::string_view name, const Case& test, const Json& observed) {
  const std::vector<std::string> problems = rule(name).check(test, observed);
  if (!problems.empty()) UNSCOPED_INFO(problems[0]);
  return problems.empty();
}

Json with(Json observed, std::string_view key, Json value) {
  observed.set(key, std::move(value));
  return observed;
}

// The same with one member of one object changed.
Json with(Json observed, std::string_view key, std::string_view member, Json value) {
  observed.find(key)->set(member, std::move(value));
  return observed;
}

Json without_last(const Json& list) {
  Json shorter = Json::array();
  for (std::size_t i = 0; i + 1 < list.size(); ++i) shorter.append(list.as_array()[i]);
  return shorter;
}

const std::string kData =
    R"("data": {"source": "datamodule", "train": {"n": 4, "batch": 2, "offset": 0},
        "val": [{"n": 2, "batch": 2, "offset": 100}], "test": [{"n": 2, "batch": 2, "offset": 200}]})";

const std::string kTracedData =
    R"("data": {"source": "datamodule", "traced": true,
        "train": {"n": 4, "batch": 2, "offset": 0}, "val": [{"n": 2, "batch": 2, "offset": 100}],
        "test": [{"n": 2, "batch": 2, "offset": 200}]})";

const std::string kSaves =
    R"({"type": "ModelCheckpoint", "args": {"dirpath": "{DIR}/c", "filename": "e{epoch}",
        "auto_insert_metric_name": false, "save_top_k": -1}})";

// Epochs of one step each.
Case resumed_with_max_steps(int max_epochs, int max_steps, const std::string& checkpoint,
                            const std::string& final) {
  return made_up(R"({"trainer": {"max_epochs": )" + std::to_string(max_epochs) +
                     R"(, "enable_checkpointing": true, "accumulate_grad_batches": 2},
      "callbacks": [{"type": "TraceA"}, )" +
                     kSaves + R"(], "model": {"net": "linear", "traced": true}, )" + kData +
                     R"(, "sequence": [{"call": "fit"}, {"call": "fit", "new_model": true,
      "ckpt_path": "{DIR}/c/)" +
                     checkpoint + R"(", "new_trainer": {"max_steps": )" +
                     std::to_string(max_steps) + "}}]}",
                 R"({"exception": null, "weights": {}, "train_losses": [], "lrs": [],
                     "final": )" +
                     final + "}");
}

}  // namespace

TEST_CASE("a resumed run with max_steps must train the epoch that Lightning lets pass") {
  const char* name = "resume_with_max_steps";
  const Case test = resumed_with_max_steps(
      3, 5, "e1.ckpt",
      R"({"global_step": 2, "current_epoch": 3, "num_training_batches": 2, "total_batch_idx": 3})");
  REQUIRE(applies(name, test));
  const Json good = play(test);
  CHECK(holds(name, test, good));

  CHECK_FALSE(holds(name, test, with(good, "final", test.expect().at("final"))));
  CHECK_FALSE(holds(name, test, with(good, "final", "global_step", 2)));
  CHECK_FALSE(holds(name, test, with(good, "weights", Json::object())));
  CHECK_FALSE(holds(name, test, with(good, "train_losses", without_last(good.at("train_losses")))));
  CHECK_FALSE(holds(name, test, with(good, "lrs", without_last(good.at("lrs")))));
  CHECK_FALSE(holds(name, test, with(good, "exception", json(R"({"type": "E", "message": ""})"))));

  // Every epoch was trained.
  CHECK_FALSE(applies(
      name,
      resumed_with_max_steps(
          3, 5, "e1.ckpt",
          R"({"global_step": 3, "current_epoch": 3, "num_training_batches": 2, "total_batch_idx": 5})")));
}

TEST_CASE("a resumed run that has its max_steps must do nothing and count the epoch that is over") {
  const char* name = "resume_with_max_steps";
  Case test = resumed_with_max_steps(1, 1, "e0.ckpt", "{}");
  const Json good = play(test);
  Json recorded = good;
  recorded.find("final")->set("current_epoch", 0);
  test.document.set("expect", recorded);
  REQUIRE(applies(name, test));
  CHECK(holds(name, test, good));
  CHECK_FALSE(holds(name, test, recorded));
  CHECK_FALSE(holds(name, test, with(good, "final", "global_step", 2)));
  CHECK_FALSE(holds(name, test, with(good, "weights", Json::object())));
  CHECK_FALSE(holds(name, test, with(good, "lrs", Json::array())));

  test.document.set("expect", good);
  CHECK_FALSE(applies(name, test));
}

TEST_CASE("a spike detector's loaded state must lead to the end of a run without a stop") {
  const char* name = "saved_state_loads";
  Case test = made_up(
      R"({"trainer": {"max_epochs": 1, "enable_checkpointing": true},
          "callbacks": [{"type": "SpikeDetection", "args": {}}, )" +
          kSaves + R"(], "model": {"net": "linear"}, )" + kData + R"(,
          "sequence": [{"call": "fit"}, {"call": "fit", "new_model": true,
            "new_trainer": {"max_epochs": 2}, "ckpt_path": "{DIR}/c/e0.ckpt"}]})",
      R"({"exception": {"type": "AttributeError", "at_call": 1,
            "message": "'SpikeDetection' object has no attribute 'running'"},
          "callbacks": [], "weights": {}, "train_losses": [], "callback_metrics": {}})");
  REQUIRE(applies(name, test));
  const Json good = play(test);
  CHECK(holds(name, test, good));
  CHECK_FALSE(holds(name, test, with(good, "exception", test.expect().at("exception"))));
  CHECK_FALSE(holds(name, test, with(good, "weights", Json::object())));
  CHECK_FALSE(holds(name, test, with(good, "callbacks", Json::array())));
  CHECK_FALSE(holds(name, test, with(good, "train_losses", without_last(good.at("train_losses")))));

  test.document.find("expect")
      ->find("exception")
      ->set("message", "'SpikeDetection' object has no attribute 'trainer'");
  CHECK_FALSE(applies(name, test));
}

TEST_CASE("a pruned model's loaded weights must be evaluated as by a separate trainer") {
  const char* name = "saved_state_loads";
  const Case test = made_up(
      R"({"trainer": {"max_epochs": 1, "enable_checkpointing": true},
          "callbacks": [{"type": "ModelPruning", "args": {"pruning_fn": "l1_unstructured",
            "amount": 0.25, "make_pruning_permanent": false,
            "parameters_to_prune": {"$params": [["l1", "weight"], ["l2", "weight"]]}}}, )" +
          kSaves + R"(], "model": {"net": "mlp"}, )" + kData + R"(,
          "sequence": [{"call": "fit"}, {"call": "test", "new_model": true,
            "ckpt_path": "{DIR}/c/e0.ckpt"}]})",
      R"({"exception": {"type": "RuntimeError", "at_call": 1,
            "message": "Unexpected key(s) in state_dict: \"l1.weight_orig\", \"l1.weight_mask\". "},
          "weights": {}, "masks": {}, "results": []})");
  REQUIRE(applies(name, test));
  const Json good = play(test);
  CHECK(holds(name, test, good));
  CHECK_FALSE(holds(name, test, with(good, "weights", Json::object())));
  CHECK_FALSE(holds(name, test, with(good, "masks", Json::object())));
  CHECK_FALSE(holds(name, test, with(good, "results", Json::array())));
}

TEST_CASE("an evaluated checkpoint must use its average in any trainer") {
  const char* name = "average_is_evaluated";
  Case test = made_up(
      R"({"trainer": {"max_epochs": 2, "enable_checkpointing": true},
          "callbacks": [{"type": "WeightAveraging", "args": {}}, )" +
          kSaves + R"(], "model": {"net": "mlp"}, )" + kData + R"(,
          "sequence": [{"call": "fit"}, {"call": "test", "new_model": true,
            "ckpt_path": "{DIR}/c/e1.ckpt"}]})",
      R"({"exception": null, "weights": {}, "train_losses": [], "results": []})");
  const Json good = play(test);
  test.document.set("expect", with(good, "weights", Json::object()));
  REQUIRE(applies(name, test));
  CHECK(holds(name, test, good));
  // Lightning's: those of the training, which is the same without the averaging.
  Case plain = first_call(test);
  plain.document.set("callbacks", Json::array());
  const Json trained = play(plain).at("weights");
  CHECK_FALSE(holds(name, test, with(good, "weights", trained)));
  CHECK_FALSE(holds(name, test, with(good, "results", Json::array())));
  CHECK_FALSE(holds(name, test, with(good, "train_losses", without_last(good.at("train_losses")))));
}

TEST_CASE("a checkpoint that is refused for its epochs must leave the new trainer's counters") {
  const char* name = "refused_without_trace";
  const auto refused = [](const std::string& trainer) {
    return made_up(R"({"trainer": {"max_epochs": 3, "enable_checkpointing": true},
                       "callbacks": [{"type": "TraceA"}, )" +
                       kSaves + R"(], "model": {"net": "linear"}, )" + kTracedData +
                       R"(, "sequence": [{"call": "fit"}, {"call": "fit", "new_model": true, )" +
                       trainer + R"("ckpt_path": "{DIR}/c/e2.ckpt"}]})",
                   R"({"exception": {"type": "MisconfigurationException",
                         "message": "You restored a checkpoint with current_epoch=2, but you have set Trainer(max_epochs=1).",
                         "at_call": 1}, "final": {}})");
  };
  CHECK_FALSE(applies(name, refused("")));  // the trainer that has trained has counters of its own
  Case test = refused(R"("new_trainer": {"max_epochs": 1}, )");
  REQUIRE(applies(name, test));
  const Json good = play(test);
  REQUIRE(get(good, "final").contains("global_step"));
  Json lightnings = good.at("final");
  lightnings.set("global_step", 6);
  test.document.find("expect")->set("final", lightnings);
  CHECK(holds(name, test, good));
  CHECK_FALSE(holds(name, test, with(good, "final", lightnings)));
  CHECK_FALSE(holds(name, test, with(good, "final", "max_epochs", 7)));
}

TEST_CASE("an evaluation after a fit must leave the training's bookkeeping, and do all the rest") {
  const char* name = "bookkeeping_stays";
  const auto sequence = [](const std::string& evaluation) {
    return made_up(
        R"({"trainer": {"max_epochs": 2, "enable_checkpointing": true},
            "callbacks": [{"type": "TraceA"},
              {"type": "EarlyStopping", "args": {"monitor": "val_loss", "patience": 5}}, )" +
            kSaves + R"(], "model": {"net": "linear", "traced": true,
              "log": [{"in": "on_validation_epoch_end", "name": "val_loss",
                       "value": {"table": [5, 4]}}]}, )" +
            kTracedData + R"(, "sequence": [{"call": "fit"}, )" + evaluation + "]}",
        R"({"exception": null, "trace": [], "callbacks": [], "weights": {}, "results": []})");
  };
  Case test = sequence(R"({"call": "test", "ckpt_path": "{DIR}/c/e0.ckpt"})");
  const Json good = play(test);
  Json trace = Json::array();
  bool tests = false;
  for (const Json& entry : good.at("trace").as_array()) {
    tests = tests || entry.as_string() == "== test";
    trace.append(entry);
    if (!tests) continue;
    if (entry.as_string() == "module.on_load_checkpoint()")
      trace.append("dm.load_state_dict(dm=1)");
    if (entry.as_string() == "A.on_load_checkpoint()") {
      trace.append("A.load_state_dict(batches=2)");
    }
  }
  REQUIRE(trace.size() == good.at("trace").size() + 2);
  Json rewound = Json::array();
  for (const Json& callback : good.at("callbacks").as_array()) {
    Json state = callback;
    if (state.contains("wait_count")) state.set("wait_count", 4);
    rewound.append(std::move(state));
  }
  const Json recorded = with(with(good, "trace", trace), "callbacks", rewound);
  test.document.set("expect", recorded);
  REQUIRE(applies(name, test));
  CHECK(holds(name, test, good));
  CHECK_FALSE(holds(name, test, recorded));
  CHECK_FALSE(holds(name, test, with(good, "trace", trace)));
  CHECK_FALSE(holds(name, test, with(good, "callbacks", rewound)));
  CHECK_FALSE(holds(name, test, with(good, "trace", without_last(good.at("trace")))));
  CHECK_FALSE(holds(name, test, with(good, "weights", Json::object())));
  CHECK_FALSE(holds(name, test, with(good, "results", Json::array())));

  CHECK(applies(name, sequence(R"({"call": "validate", "model_none": true})")));
  CHECK_FALSE(applies(name, sequence(R"({"call": "test"})")));
  CHECK_FALSE(applies(
      name, sequence(R"({"call": "test", "ckpt_path": "{DIR}/c/e0.ckpt", "new_trainer": {}})")));
  CHECK_FALSE(applies(name, sequence(R"({"call": "fit", "ckpt_path": "{DIR}/c/e0.ckpt"})")));
}

TEST_CASE("a metric without a format in a file's name may differ in its last digits alone") {
  const char* name = "metrics_in_names";
  const auto spec = [](const std::string& filename) {
    return R"({"trainer": {}, "callbacks": [{"type": "ModelCheckpoint", "args": {"filename": ")" +
           filename + R"("}}]})";
  };
  const auto observed = [](const std::string& digits) {
    return json(R"({"files": ["c/epoch=0-v=)" + digits + R"(.ckpt"],
                    "callbacks": [{"best_model_path": "{DIR}/c/epoch=0-v=)" +
                digits + R"(.ckpt"}]})");
  };
  const Case test =
      made_up(spec("{epoch}-{v}"), R"({"files": ["c/epoch=0-v=0.12345000356435776.ckpt"],
      "callbacks": [{"best_model_path": "{DIR}/c/epoch=0-v=0.12345000356435776.ckpt"}]})");
  REQUIRE(applies(name, test));
  CHECK(holds(name, test, observed("0.12345000356435776")));
  CHECK(holds(name, test, observed("0.12345001101493835")));
  CHECK_FALSE(holds(name, test, observed("0.12545")));
  CHECK_FALSE(holds(name, test, observed("1")));
  CHECK_FALSE(applies(name, made_up(spec("{epoch}-{step}-{v:.2f}"), "{}")));
}

TEST_CASE("the default progress bar and summary must be the plain ones, at their positions") {
  const char* name = "default_displays";
  const Case test =
      made_up(R"({"trainer": {}, "callbacks": []})",
              R"({"callbacks_order": ["RichProgressBar", "RichModelSummary", "ModelCheckpoint"]})");
  REQUIRE(applies(name, test));
  const auto ordered = [](const std::string& names) {
    return json("{\"callbacks_order\": [" + names + "]}");
  };
  CHECK(holds(name, test, ordered(R"("TQDMProgressBar", "ModelSummary", "ModelCheckpoint")")));
  CHECK_FALSE(holds(name, test, test.expect()));
  CHECK_FALSE(
      holds(name, test, ordered(R"("ModelSummary", "TQDMProgressBar", "ModelCheckpoint")")));
  CHECK_FALSE(holds(name, test, ordered(R"("TQDMProgressBar", "ModelCheckpoint")")));

  const Case asked = made_up(
      R"({"trainer": {}, "callbacks": [{"type": "RichProgressBar"}, {"type": "RichModelSummary"}]})",
      R"({"callbacks_order": ["RichProgressBar", "RichModelSummary"]})");
  CHECK_FALSE(applies(name, asked));
}

TEST_CASE("of two errors the first must be thrown, with the run in no stage") {
  const char* name = "first_error_is_thrown";
  Case test = made_up(
      R"({"trainer": {"max_epochs": 1}, "callbacks": [{"type": "TraceA"}, {"type": "TraceB"}],
          "model": {"net": "linear", "traced": true}, )" +
          kData + R"(, "script": [
            {"at": "module.training_step", "nth": 0, "do": "raise", "msg": "first"},
            {"at": "A.on_exception", "nth": 0, "do": "raise", "exc": "ValueError", "msg": "second"}]})",
      R"({"exception": null, "trace": [], "final": {}})");
  const Json good = play(test);
  // As Lightning: nothing after the hook that raised.
  Json recorded = with(with(good, "trace", without_last(good.at("trace"))), "exception",
                       json(R"({"type": "ValueError", "message": "second", "at_call": 0})"));
  recorded.find("final")->set("stage", "train");
  test.document.set("expect", recorded);
  REQUIRE(applies(name, test));
  CHECK(holds(name, test, good));
  CHECK_FALSE(holds(name, test, recorded));
  CHECK_FALSE(holds(name, test, with(good, "final", "stage", "train")));
  CHECK_FALSE(holds(name, test, with(good, "exception", "message", "third")));
  CHECK_FALSE(holds(name, test, with(good, "exception", "type", "ValueError")));
  CHECK_FALSE(holds(name, test, with(good, "exception", Json())));
}

TEST_CASE("an unknown key of a scheduler must be refused by name") {
  const char* name = "unknown_scheduler_keys";
  const auto with_scheduler = [](const std::string& spec) {
    return made_up(R"({"trainer": {}, "callbacks": [], "model": {"schedulers": [)" + spec + "]}}",
                   R"({"exception": null})");
  };
  const Case test = with_scheduler(R"({"type": "StepLR", "foo": 1})");
  REQUIRE(applies(name, test));
  CHECK(holds(name, test,
              json(R"({"exception": {"type": "ConfigError", "message": "unknown key 'foo'"}})")));
  CHECK_FALSE(holds(name, test,
                    json(R"({"exception": {"type": "ConfigError", "message": "unknown key"}})")));
  CHECK_FALSE(holds(name, test, json(R"({"exception": null})")));
  CHECK_FALSE(applies(name, with_scheduler(R"({"type": "StepLR", "interval": "step"})")));
}

TEST_CASE("a rule finds an option and its value as whole words") {
  CHECK(names("min_epochs must be at least 0, got -1", "-1"));
  CHECK(names("min_epochs must be at least 0, got -1", "min_epochs"));
  CHECK(names("got 0.", "0"));
  CHECK_FALSE(names("must be at least 10, got 20", "0"));
  CHECK_FALSE(names("got 0.5", "0"));
  CHECK_FALSE(names("got -1", "1"));
  CHECK_FALSE(names("min_epochs_2", "min_epochs"));
  CHECK_FALSE(names("max_val_batches", "max_val"));
}

TEST_CASE("a meaningless value must be refused, naming the option and the value") {
  const char* name = "options_without_meaning";
  const Case test = made_up(R"({"trainer": {"accumulate_grad_batches": 0}, "callbacks": []})",
                            R"({"exception": null})");
  REQUIRE(applies(name, test));
  const auto refused = [](const std::string& type, const std::string& message) {
    return json(R"({"exception": {"type": ")" + type + R"(", "message": ")" + message + "\"}}");
  };
  CHECK(holds(name, test, refused("ConfigError", "accumulate_grad_batches is 0, not 1 or more")));
  CHECK_FALSE(holds(name, test, refused("ConfigError", "accumulate_grad_batches is 10")));
  CHECK_FALSE(holds(name, test, refused("ConfigError", "0 is not allowed")));
  CHECK_FALSE(holds(name, test, refused("DataError", "accumulate_grad_batches is 0")));
  CHECK_FALSE(holds(name, test, json(R"({"exception": null})")));
}

}  // namespace grapnel::oracle::deviations_test
