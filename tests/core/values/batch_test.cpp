#include "grapnel/batch.h"

#include <ATen/ops/_neg_view.h>
#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include "catch.h"
#include "grapnel/base/error.h"

namespace batch_test {

using namespace grapnel;
using Catch::Contains;

TEST_CASE("tensors of a batch are found by index and by name") {
  const Batch batch({at::zeros({4, 2}), at::ones({4})}, {"image", "label"});
  CHECK(batch.size() == 2);
  CHECK(batch["label"].sum().item().toInt() == 4);
  CHECK(batch[0].size(1) == 2);
  CHECK(batch.name(1) == "label");
  CHECK(batch.batch_size() == 4);
  CHECK_THROWS_AS(batch[2], DataError);
  CHECK_THROWS_WITH(batch[2], Contains("no tensor 2") && Contains("numbered 0 to 1"));
  CHECK_THROWS_WITH(batch["lable"], Contains("'lable'") && Contains("'image' and 'label'"));
}

TEST_CASE("a batch's tensor names are optional") {
  const Batch batch({at::zeros({3})});
  CHECK(batch.name(0).empty());
  CHECK_THROWS_WITH(batch[""], Contains("1 without names"));
  CHECK_THROWS_WITH(Batch()[0], Contains("none"));
  CHECK_THROWS_WITH(Batch({at::zeros({1})}, {"a", "b"}), Contains("2 names"));
  CHECK_THROWS_WITH(Batch({at::zeros({1}), at::zeros({1})}, {"a", "a"}), Contains("'a'"));
  CHECK(Batch({at::zeros({1}), at::zeros({1})}, {"a"}).name(1).empty());
}

TEST_CASE("the batch size is that of the first tensor with a dimension, else 1") {
  CHECK(Batch({at::zeros({}), at::Tensor(), at::zeros({5, 2})}).batch_size() == 5);
  CHECK(Batch({at::zeros({})}).batch_size() == 1);
  CHECK(Batch().batch_size() == 1);
}

TEST_CASE("replacing a batch's tensor leaves the data set's tensor alone") {
  const at::Tensor data = at::zeros({2});
  Batch batch({data}, {"x"});
  batch.replace(0, at::ones({3}));
  CHECK(batch["x"].size(0) == 3);
  CHECK(data.sum().item().toInt() == 0);
  CHECK_THROWS_AS(batch.replace(1, data), DataError);
}

TEST_CASE("a batch with only a payload is not empty") {
  Batch batch;
  CHECK(batch.empty());
  batch.payload = std::string("mine");
  CHECK_FALSE(batch.empty());
  CHECK(std::any_cast<std::string>(batch.payload) == "mine");
}

TEST_CASE("StepOutput's loss value is fetched once and then kept") {
  StepOutput output(at::ones({}));
  CHECK(output.loss_value() == 1.0);
  output.loss.fill_(5.0);
  CHECK(output.loss_value() == 1.0);
  CHECK_FALSE(StepOutput(std::nullopt).loss_value().has_value());
  for (const at::Tensor& two :
       {at::full({}, 2.0f), at::full({1, 1}, 2.0), at::full({}, 2, at::kLong),
        at::full({}, 2.0, at::kHalf), at::_neg_view(at::full({}, -2.0f)),
        at::tensor({1.0f, 2.0f})[1], at::full({}, 2.0f).requires_grad_()}) {
    CHECK(StepOutput(two).loss_value() == 2.0);
  }
  CHECK_THROWS(StepOutput(at::ones({2})).loss_value());
  CHECK(TensorTree().empty());
  CHECK_FALSE(TensorTree(at::ones({1})).empty());
}

}  // namespace batch_test
