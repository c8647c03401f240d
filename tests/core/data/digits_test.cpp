#include "grapnel/data/digits.h"

#include <ATen/Functions.h>

#include "catch.h"
#include "grapnel/base/error.h"
#include "grapnel/data/idx.h"
#include "grapnel/data/registry.h"

namespace digits_test {

using namespace grapnel;
using Catch::Contains;

TEST_CASE("the embedded digits are the files in core/data/digits") {
  const DataSplit all = load_digits();
  const std::filesystem::path directory = DIGITS;
  CHECK(all[0].mul(16).to(at::kByte).squeeze(1).equal(
      read_idx(directory / "digits-images-idx3-ubyte")));
  CHECK(all[1].to(at::kByte).equal(read_idx(directory / "digits-labels-idx1-ubyte")));
  CHECK(all[0].sizes() == at::IntArrayRef({1797, 1, 8, 8}));
  CHECK(all[0].max().item().toFloat() == 1.0F);
  CHECK(all[0].min().item().toFloat() == 0.0F);
}

TEST_CASE("the digits' split is fixed, stratified, and has every sample once") {
  DigitsDataModule data;
  data.setup(RunKind::fit);
  CHECK(data.train_split()[0].size(0) == 1437);
  for (const DataSplit* part : {&data.val_split(), &data.test_split()}) {
    CHECK((*part)[0].size(0) == 180);
    CHECK((*part)[1].bincount().equal(at::full({10}, 18)));
  }
  const auto sum = [](const DataSplit& part) { return part[0].sum(at::kDouble).item().toDouble(); };
  CHECK(sum(data.train_split()) + sum(data.val_split()) + sum(data.test_split()) ==
        Approx(load_digits()[0].sum(at::kDouble).item().toDouble()));
  // The first test samples, so that a change of the split is noticed.
  CHECK(
      data.test_split()[1].narrow(0, 0, 8).equal(at::tensor({6, 7, 9, 5, 0, 8, 0, 7}, at::kLong)));

  DigitsDataModule again;
  again.setup(RunKind::test);
  CHECK(again.test_split()[0].equal(data.test_split()[0]));
}

TEST_CASE("only training batches of the digits are shuffled") {
  DigitsDataModule data({.batch_size = 100});
  data.setup(RunKind::fit);
  CHECK(data.train_dataloader()->shuffles());
  CHECK(data.train_dataloader()->size() == 15);
  CHECK_FALSE(data.val_dataloaders().at(0)->shuffles());
  *data.batch_size_attribute() = 180;
  CHECK(data.val_dataloaders().at(0)->size() == 1);
}

TEST_CASE("run.json chooses a data set by name") {
  const auto make = [](std::string_view text) {
    return make_data(parse_json(text, "run.json"), "data");
  };
  const MadeData made = make(R"({"name": "digits", "batch_size": 7, "seed": 3})");
  CHECK(made.data.module == made.module.get());
  CHECK(made.data.methods.test(static_cast<size_t>(DataMethod::train_dataloader)));
  CHECK(*made.module->batch_size_attribute() == 7);
  CHECK(made.module->hyper_parameters.at("name").to_string() == "digits");
  CHECK(made.module->hyper_parameters.at("seed").to_int() == 3);
  CHECK(made.module->type_name() == "DigitsDataModule");
  CHECK_THROWS_WITH(make(R"({"name": "digit"})"),
                    Contains("run.json:1:10") && Contains("did you mean 'digits'"));
  CHECK_THROWS_WITH(make(R"({"name": "digits", "batch": 3})"), Contains("'batch_size'"));
  CHECK_THROWS_WITH(make(R"({"name": "idx", "images": "x", "labels": "y", "test_images": "z"})"),
                    Contains("run.json:1:1") && Contains("test_labels"));
}

}  // namespace digits_test
