#include "grapnel/data/idx_data_module.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "data/shared_options.h"
#include "grapnel/base/error.h"
#include "grapnel/data/idx.h"

namespace grapnel {

namespace {

DataSplit read_pair(const std::filesystem::path& images_path,
                    const std::filesystem::path& labels_path) {
  at::Tensor images = read_idx(images_path);
  const at::Tensor labels = read_idx(labels_path);
  if (labels.dim() != 1) {
    throw DataError(
        fmt::format("labels must have the shape [N], found [{}]", fmt::join(labels.sizes(), ", ")),
        labels_path);
  }
  if (images.dim() < 2) {
    throw DataError(
        fmt::format("images must have the shape [N, rows, columns], or [N, numbers], found [{}]",
                    fmt::join(images.sizes(), ", ")),
        images_path);
  }
  if (images.size(0) != labels.size(0)) {
    throw DataError(fmt::format("{} labels for the {} images in '{}'", labels.size(0),
                                images.size(0), images_path.string()),
                    labels_path);
  }
  if (labels.is_floating_point()) {
    throw DataError("labels must be whole numbers, found floating-point ones", labels_path);
  }
  const bool is_pixels = images.scalar_type() == at::kByte;
  images = images.to(at::kFloat);
  if (is_pixels) images.div_(255);
  if (images.dim() == 3) images = images.unsqueeze(1);
  return {images, labels.to(at::kLong)};
}

}  // namespace

IdxDataModule::IdxDataModule(IdxDataOptions options)
    : TensorDataModule(options.loading), options_(std::move(options)) {
  options_table().check(options_, "IdxDataModule");
  if (options_.test_images.empty() != options_.test_labels.empty()) {
    throw ConfigError({}, "a test part needs the paths of both test_images and test_labels",
                      options_.test_images.empty() ? "test_images" : "test_labels");
  }
}

const OptionsTable<IdxDataOptions>& IdxDataModule::options_table() {
  using O = IdxDataOptions;
  static const OptionsTable<IdxDataOptions> table(
      "idx", "Images and labels from IDX files, as MNIST ships them.",
      {option("images", &O::images).required().filled().doc("Path of the training images."),
       option("labels", &O::labels).required().filled().doc("Path of their labels."),
       option("test_images", &O::test_images).doc("Path of the test images; empty: no test part."),
       option("test_labels", &O::test_labels).doc("Path of their labels."),
       option("val_fraction", &O::val_fraction)
           .at_least(0)
           .below(1)
           .doc("Share of the training samples that is kept for validation."),
       option("split_seed", &O::split_seed).at_least(0).doc("Decides which samples that are."),
       embed(&O::loading, loading_options())});
  return table;
}

void IdxDataModule::load() {
  split(read_pair(options_.images, options_.labels),
        {.val_fraction = options_.val_fraction, .test_fraction = 0.0, .seed = options_.split_seed},
        {.file = options_.labels, .item = "label"});
  if (!options_.test_images.empty()) {
    set_test(read_pair(options_.test_images, options_.test_labels),
             {.file = options_.test_labels, .item = "label"});
  }
}

}  // namespace grapnel
