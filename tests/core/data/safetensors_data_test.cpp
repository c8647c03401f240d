#include "grapnel/data/safetensors_data.h"

#include <ATen/Functions.h>

#include "catch.h"
#include "grapnel/base/error.h"
#include "grapnel/base/json.h"
#include "grapnel/data/registry.h"
#include "grapnel/tensor_bytes.h"
#include "temp_dir.h"

namespace safetensors_data_test {

using namespace grapnel;
using Catch::Contains;
using grapnel::test::TempDir;

namespace {

std::filesystem::path write(const TempDir& directory, const std::string& name,
                            const std::vector<std::pair<std::string, at::Tensor>>& tensors) {
  SafetensorsWriter writer;
  for (const auto& [key, tensor] : tensors) writer.add(tensor_view(key, tensor));
  std::string bytes;
  writer.write([&](std::span<const std::byte> piece) {
    bytes.append(reinterpret_cast<const char*>(piece.data()), piece.size());
  });
  return directory.write(name, bytes);
}

}  // namespace

TEST_CASE("tensors of a safetensors file become batches under their names") {
  const TempDir directory;
  const at::Tensor x = at::arange(20, at::kFloat).view({10, 2});
  const at::Tensor y = at::arange(10);
  SafetensorsDataModule data(
      {.path = write(directory, "a.safetensors", {{"x", x}, {"unused", y}, {"y", y}}),
       .tensors = {"x", "y"},
       .test_path = write(directory, "test.safetensors", {{"x", x}, {"y", y}}),
       .parts = {.val_fraction = 0.2, .test_fraction = 0.5},
       .loading = {.batch_size = 8, .shuffle = false}});
  data.setup(RunKind::fit);
  CHECK(data.train_split()[0].size(0) == 8);
  CHECK(data.val_split()[0].size(0) == 2);
  CHECK(data.test_split()[0].equal(x));
  const auto batch = data.train_dataloader()->next();
  CHECK((*batch)["x"].select(1, 0).div(2).to(at::kLong).equal((*batch)["y"]));
}

TEST_CASE("a tensor that a safetensors data set lacks is an error that names it") {
  const TempDir directory;
  const auto path =
      write(directory, "a.safetensors", {{"input", at::ones({3, 1})}, {"target", at::ones({2})}});
  SafetensorsDataModule uneven({.path = path});
  CHECK_THROWS_WITH(uneven.setup(RunKind::fit),
                    Contains("'input' and 'target'") && Contains("numbers of samples"));
  SafetensorsDataModule missing({.path = path, .tensors = {"inputs"}});
  CHECK_THROWS_WITH(missing.setup(RunKind::fit),
                    Contains("a.safetensors") && Contains("did you mean 'input'"));
  SafetensorsDataModule other({.path = directory.write("b.safetensors", "not one")});
  CHECK_THROWS_AS(other.setup(RunKind::fit), DataError);
  CHECK_THROWS_AS(SafetensorsDataModule({.path = path, .tensors = {}}), ConfigError);
}

TEST_CASE("every data set can be made by its name from run.json") {
  const auto make = [](std::string_view text) {
    return make_data(parse_json(text, "run.json"), "data");
  };
  CHECK(make(R"({"name": "safetensors", "path": "x"})").module->type_name() ==
        "SafetensorsDataModule");
  CHECK(make(R"({"name": "csv", "path": "x", "target": "y", "delimiter": ";"})")
            .module->type_name() == "CsvDataModule");
  CHECK(make(R"({"name": "idx", "images": "x", "labels": "y"})").module->type_name() ==
        "IdxDataModule");
  CHECK_THROWS_WITH(make(R"({"name": "csv", "path": "x"})"), Contains("target"));
}

TEST_CASE("a tensor made from another's bytes equals it") {
  const at::Tensor tensor = at::arange(6, at::kFloat).view({2, 3}).to(at::kBFloat16);
  const TensorView view = tensor_view("t", tensor);
  CHECK(view.dtype == "BF16");
  const at::Tensor again =
      tensor_from_bytes({.name = "t", .dtype = view.dtype, .shape = view.shape}, view.bytes);
  CHECK(again.equal(tensor));
  CHECK(again.const_data_ptr() != tensor.const_data_ptr());
  CHECK_THROWS_WITH(tensor_view("c", at::ones({1}, at::kComplexFloat)),
                    Contains("'c'") && Contains("ComplexFloat"));
  CHECK_THROWS_WITH(tensor_from_bytes({.name = "q", .dtype = "F4", .shape = {}}, {}),
                    Contains("'q'") && Contains("F4"));
}

}  // namespace safetensors_data_test
