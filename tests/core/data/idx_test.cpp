#include "grapnel/data/idx.h"

#include <ATen/Functions.h>

#include <random>

#include "catch.h"
#include "grapnel/base/error.h"
#include "grapnel/data/idx_data_module.h"
#include "grapnel/data/tensor_loader.h"
#include "temp_dir.h"

namespace idx_test {

using namespace grapnel;
using Catch::Contains;
using grapnel::test::TempDir;

namespace {

std::string header(int type, const std::vector<uint32_t>& sizes) {
  std::string bytes = {0, 0, static_cast<char>(type), static_cast<char>(sizes.size())};
  for (const uint32_t size : sizes) {
    for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(size >> shift);
  }
  return bytes;
}

at::Tensor parse(const std::string& bytes) {
  return parse_idx(std::as_bytes(std::span(bytes)), "a.idx");
}

// n images of 2 x 2 pixels, the first pixel of each its number, and its number modulo 3 as label.
void write_pair(const TempDir& directory, const std::string& name, uint32_t n) {
  std::string images = header(8, {n, 2, 2});
  std::string labels = header(8, {n});
  for (uint32_t i = 0; i < n; ++i) {
    images += {static_cast<char>(i), 0, 0, '\xff'};
    labels += static_cast<char>(i % 3);
  }
  directory.write(name + "-images", images);
  directory.write(name + "-labels", labels);
}

}  // namespace

TEST_CASE("big-endian IDX numbers of every type are read") {
  CHECK(parse(header(8, {2, 2}) + std::string("\x00\x01\x7f\xff", 4))
            .equal(at::tensor({0, 1, 127, 255}).to(at::kByte).view({2, 2})));
  CHECK(parse(header(9, {1}) + "\xff").item().toInt() == -1);
  CHECK(parse(header(0x0B, {1}) + "\xff\xfe").item().toInt() == -2);
  CHECK(parse(header(0x0C, {1}) + std::string("\x00\x01\x00\x00", 4)).item().toInt() == 65536);
  CHECK(parse(header(0x0D, {1}) + std::string("\x3f\x80\x00\x00", 4)).item().toFloat() == 1.0F);
  CHECK(parse(header(0x0E, {1}) + std::string("\xc0\x00\x00\x00\x00\x00\x00\x00", 8))
            .item()
            .toDouble() == -2.0);
  CHECK(parse(header(8, {0, 28, 28})).size(0) == 0);
}

TEST_CASE("a malformed IDX file is refused with what was found") {
  const auto refused = [](const std::string& bytes, const std::string& part) {
    CHECK_THROWS_AS(parse(bytes), DataError);
    CHECK_THROWS_WITH(parse(bytes), Contains("'a.idx'") && Contains(part));
  };
  refused("", "only 0 bytes");
  refused(std::string("\x1f\x8b\x08\x00", 4), "gunzip");
  refused("PNG!", "starts with 50 4e 47 21");
  refused(header(7, {1}) + "x", "0x07");
  refused(header(8, {}), "0 dimensions");
  refused(header(8, std::vector<uint32_t>(9, 1)) + "x", "9 dimensions");
  refused(header(8, {2, 2}).substr(0, 9), "cut off after 9");
  refused(header(8, {2, 2}) + "abc", "needs 4 bytes of numbers, it has 3");
  refused(header(8, {2, 2}) + "abcde", "it has 5");
  refused(header(0x0E, {0xffffffff, 0xffffffff, 0xffffffff}), "more numbers than any file");
  refused(header(8, {0xffffffff, 0xffffffff}), "needs");
  refused(header(8, {0, 0xffffffff, 0xffffffff}), "more numbers than any file");
  refused(header(8, {0xffffffff, 0, 0xffffffff, 0xffffffff}), "more numbers than any file");
  refused(header(8, {0xffffffff, 0xffffffff, 0}), "more numbers than any file");
}

TEST_CASE("random bytes as an IDX file never crash the reader") {
  const auto seed = std::random_device()();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 3000; ++round) {
    std::string bytes = round % 2 ? std::string("\0\0", 2) : "";
    for (auto i = random() % 24; i > 0; --i)
      bytes += static_cast<char>(random() % 3 ? random() % 16 : random());
    try {
      const at::Tensor tensor = parse(bytes);
      CHECK(tensor.nbytes() < bytes.size());
    } catch (const DataError&) {
    }
  }
}

TEST_CASE("a missing IDX file is an error that names it") {
  const TempDir directory;
  CHECK_THROWS_AS(read_idx(directory / "none"), IoError);
}

TEST_CASE("IDX images and labels become batches, with a validation part held out") {
  const TempDir directory;
  write_pair(directory, "train", 20);
  write_pair(directory, "test", 4);
  IdxDataModule data({.images = directory / "train-images",
                      .labels = directory / "train-labels",
                      .test_images = directory / "test-images",
                      .test_labels = directory / "test-labels",
                      .val_fraction = 0.25,
                      .loading = {.batch_size = 8, .shuffle = false}});
  data.setup(RunKind::fit);
  CHECK(data.train_split()[0].sizes() == at::IntArrayRef({15, 1, 2, 2}));
  CHECK(data.val_split()[0].size(0) == 5);
  CHECK(data.train_split()[0].max().item().toFloat() == 1.0F);
  const auto batch = data.train_dataloader()->next();
  CHECK((*batch)["target"].scalar_type() == at::kLong);
  // Every sample is in one part, with its own label.
  const at::Tensor all = at::cat({data.train_split()[0], data.val_split()[0]})
                             .select(1, 0)
                             .select(1, 0)
                             .select(1, 0)
                             .mul(255)
                             .round()
                             .to(at::kLong);
  CHECK(std::get<0>(all.sort()).equal(at::arange(20)));
  CHECK(all.remainder(3).equal(at::cat({data.train_split()[1], data.val_split()[1]})));
  CHECK(data.test_dataloaders().at(0)->dataset_size() == 4);
  CHECK(data.predict_dataloaders().size() == 1);
}

TEST_CASE("an IDX data set without a validation fraction or test files has no such loaders") {
  const TempDir directory;
  write_pair(directory, "train", 5);
  IdxDataModule data({.images = directory / "train-images",
                      .labels = directory / "train-labels",
                      .val_fraction = 0.0});
  data.setup(RunKind::fit);
  CHECK(data.train_dataloader()->dataset_size() == 5);
  CHECK(data.val_dataloaders().empty());
  CHECK(data.test_dataloaders().empty());
}

TEST_CASE("IDX images and labels of different counts are refused") {
  const TempDir directory;
  write_pair(directory, "a", 5);
  write_pair(directory, "b", 6);
  IdxDataModule mixed({.images = directory / "a-images", .labels = directory / "b-labels"});
  CHECK_THROWS_AS(mixed.setup(RunKind::fit), DataError);
  CHECK_THROWS_WITH(mixed.setup(RunKind::fit),
                    Contains("b-labels") && Contains("6 labels for the 5 images"));
  IdxDataModule swapped({.images = directory / "a-labels", .labels = directory / "a-images"});
  CHECK_THROWS_WITH(swapped.setup(RunKind::fit), Contains("[5, 2, 2]"));
  IdxDataModule flat({.images = directory / "a-labels", .labels = directory / "a-labels"});
  CHECK_THROWS_WITH(flat.setup(RunKind::fit),
                    Contains("a-labels") && Contains("[N, rows, columns]") && Contains("[5]"));
  CHECK_THROWS_AS(IdxDataModule({.images = "x", .labels = ""}), ConfigError);
  CHECK_THROWS_AS(IdxDataModule({.images = "x", .labels = "y", .test_images = "z"}), ConfigError);
  CHECK_THROWS_AS(IdxDataModule({.images = "x", .labels = "y", .val_fraction = 1.0}), ConfigError);
}

}  // namespace idx_test
