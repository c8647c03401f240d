#include "grapnel/data/tensor_loader.h"

#include <ATen/Context.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/zeros.h>

#include <numeric>
#include <set>

#include "catch.h"
#include "grapnel/base/error.h"
#include "grapnel/data/function_loader.h"
#include "grapnel/data/permutation.h"

namespace tensor_loader_test {

using namespace grapnel;
using Catch::Contains;

namespace {

TensorLoader numbers(TensorLoaderOptions options, int64_t n = 10) {
  const at::Tensor x = at::arange(n, at::kFloat);
  return TensorLoader({x.view({n, 1}), x.mul(-1)}, options);
}

// The samples of an epoch, and a check that both tensors and the indices say the same.
std::vector<int64_t> epoch(DataLoader& loader, int64_t number) {
  std::vector<int64_t> samples;
  loader.start(number);
  while (auto batch = loader.next()) {
    REQUIRE(batch->size() == 2);
    REQUIRE(batch->batch_size() == static_cast<int64_t>(batch->sample_indices.size()));
    for (int64_t i = 0; i < batch->batch_size(); ++i) {
      const int64_t sample = batch->sample_indices[i];
      REQUIRE((*batch)[0][i][0].item().toDouble() == static_cast<double>(sample));
      REQUIRE((*batch)[1][i].item().toDouble() == -static_cast<double>(sample));
      samples.push_back(sample);
    }
  }
  return samples;
}

std::vector<int64_t> counted(int64_t n) {
  std::vector<int64_t> all(static_cast<size_t>(n));
  std::iota(all.begin(), all.end(), 0);
  return all;
}

}  // namespace

TEST_CASE("TensorLoader gives batches in order, the last one partly filled unless drop_last") {
  TensorLoader loader = numbers({.batch_size = 4});
  CHECK(loader.size() == 3);
  CHECK(loader.dataset_size() == 10);
  CHECK(loader.batch_size() == 4);
  CHECK(epoch(loader, 0) == counted(10));
  CHECK_FALSE(loader.next().has_value());
  TensorLoader dropping = numbers({.batch_size = 4, .drop_last = true});
  CHECK(dropping.size() == 2);
  CHECK(epoch(dropping, 0) == counted(8));
  TensorLoader none = numbers({.batch_size = 16, .drop_last = true});
  CHECK(none.size() == 0);
  CHECK(epoch(none, 0).empty());
}

TEST_CASE("a shuffled epoch has every sample once, in an order of seed and epoch alone") {
  TensorLoader loader = numbers({.batch_size = 3, .shuffle = true, .seed = 5}, 100);
  const auto zeroth = epoch(loader, 0);
  const auto first = epoch(loader, 1);
  CHECK(std::set<int64_t>(zeroth.begin(), zeroth.end()).size() == 100);
  CHECK(zeroth != first);
  CHECK(zeroth != counted(100));
  CHECK(epoch(loader, 0) == zeroth);
  TensorLoader same = numbers({.batch_size = 7, .shuffle = true, .seed = 5}, 100);
  CHECK(epoch(same, 1) == first);
  TensorLoader other = numbers({.batch_size = 3, .shuffle = true, .seed = 6}, 100);
  CHECK(epoch(other, 0) != zeroth);
  loader.set_shuffle(false);
  CHECK_FALSE(loader.shuffles());
  CHECK(epoch(loader, 0) == counted(100));
}

TEST_CASE("shuffled orders are the same on every machine") {
  // From an implementation of the documented algorithm in another language.
  CHECK(permutation(10, 0, 0) == std::vector<int64_t>{5, 2, 9, 6, 1, 8, 7, 3, 0, 4});
  CHECK(permutation(10, 42, 3) == std::vector<int64_t>{3, 4, 5, 2, 8, 0, 6, 9, 1, 7});
  CHECK(permutation(0, 1, 1).empty());
  CHECK(permutation(1, 1, 1) == std::vector<int64_t>{0});
}

TEST_CASE("every position of a sample in a shuffled epoch is equally likely") {
  // 20,000 orders of five: each sample at each place about 4,000 times (standard deviation 57).
  int counts[5][5] = {};
  for (uint64_t i = 0; i < 20'000; ++i) {
    const auto order = permutation(5, 9, i);
    for (int place = 0; place < 5; ++place) ++counts[place][order[place]];
  }
  for (const auto& place : counts) {
    for (const int count : place) CHECK(std::abs(count - 4000) < 5 * 57);
  }
}

TEST_CASE("shuffling leaves LibTorch's generator alone") {
  TensorLoader loader = numbers({.batch_size = 2, .shuffle = true});
  const auto draw = [] { return at::rand({1}).item().toDouble(); };
  at::manual_seed(3);
  const double expected = draw();
  at::manual_seed(3);
  epoch(loader, 4);
  CHECK(draw() == expected);
}

TEST_CASE("TensorLoader::skip equals fetching that many batches, from any position") {
  for (const bool shuffle : {false, true}) {
    TensorLoader loader = numbers({.batch_size = 3, .shuffle = shuffle});
    for (int64_t skipped = 0; skipped < 6; ++skipped) {
      TensorLoader fetched = numbers({.batch_size = 3, .shuffle = shuffle});
      loader.start(2);
      fetched.start(2);
      loader.next();
      fetched.next();
      loader.skip(skipped);
      for (int64_t i = 0; i < skipped; ++i) fetched.next();
      const auto a = loader.next();
      const auto b = fetched.next();
      REQUIRE(a.has_value() == b.has_value());
      if (a) CHECK(a->sample_indices == b->sample_indices);
    }
  }
}

TEST_CASE("TensorLoader's names are in every batch, and without start() the epoch is 0") {
  TensorLoader loader({at::zeros({2, 1})}, {.batch_size = 2, .names = {"image"}});
  CHECK(loader.next()->name(0) == "image");
}

TEST_CASE("TensorLoader refuses tensors with different numbers of samples") {
  CHECK_THROWS_AS(TensorLoader({}), DataError);
  CHECK_THROWS_WITH(TensorLoader({at::zeros({3}), at::zeros({4, 2})}),
                    Contains("3 in the first, 4 in tensor 1"));
  CHECK_THROWS_WITH(TensorLoader({at::zeros({})}), Contains("no dimension"));
  CHECK_THROWS_AS(TensorLoader({at::zeros({3})}, {.batch_size = 0}), ConfigError);
  CHECK_THROWS_AS(TensorLoader({at::zeros({3})}, {.names = {"a", "b"}}), DataError);
}

TEST_CASE("FunctionLoader calls the user's function for each batch, from the start in each epoch") {
  FunctionLoader loader(
      [](int64_t number) {
        return [left = 3 + number]() mutable -> std::optional<Batch> {
          if (left-- == 0) return {};
          return Batch({at::ones({1})});
        };
      },
      {.size = 3});
  const auto count = [&] {
    int batches = 0;
    while (loader.next()) ++batches;
    return batches;
  };
  CHECK(loader.size() == 3);
  CHECK_FALSE(loader.dataset_size().has_value());
  CHECK(count() == 3);
  loader.start(2);
  loader.skip(1);
  CHECK(count() == 4);
  CHECK_THROWS_AS(FunctionLoader({}), ConfigError);
  FunctionLoader broken([](int64_t) { return FunctionLoader::Batches(); });
  CHECK_THROWS_AS(broken.start(0), DataError);
}

}  // namespace tensor_loader_test
