#include "grapnel/data/idx_data_module.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

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
  if (options_.images.empty() || options_.labels.empty()) {
    throw ConfigError({}, "IDX data needs the paths of both images and labels",
                      options_.images.empty() ? "images" : "labels");
  }
  if (options_.test_images.empty() != options_.test_labels.empty()) {
    throw ConfigError({}, "a test part needs the paths of both test_images and test_labels",
                      options_.test_images.empty() ? "test_images" : "test_labels");
  }
  if (!(options_.val_fraction >= 0.0 && options_.val_fraction < 1.0)) {
    throw ConfigError(
        {},
        fmt::format("val_fraction must be at least 0 and below 1, found {}", options_.val_fraction),
        "val_fraction");
  }
}

const ParameterTable& IdxDataModule::table() {
  using namespace parameter;
  static const ParameterTable table = [] {
    std::vector<ParameterSpec> specs = {
        string("images").doc("Path of the training images."),
        string("labels").doc("Path of their labels."),
        string("test_images", "").doc("Path of the test images; empty: no test part."),
        string("test_labels", "").doc("Path of their labels."),
        number("val_fraction", 0.1)
            .at_least(0)
            .below(1)
            .doc("Share of the training samples that is kept for validation."),
        integer("split_seed", 0).at_least(0).doc("Decides which samples that are.")};
    for (ParameterSpec& spec : data_option_specs()) specs.push_back(std::move(spec));
    return ParameterTable("idx", "Images and labels from IDX files, as MNIST ships them.",
                          std::move(specs));
  }();
  return table;
}

IdxDataOptions IdxDataModule::read(const Parameters& parameters) {
  return {.images = parameters.get<std::string>("images"),
          .labels = parameters.get<std::string>("labels"),
          .test_images = parameters.get<std::string>("test_images"),
          .test_labels = parameters.get<std::string>("test_labels"),
          .val_fraction = parameters.get<double>("val_fraction"),
          .split_seed = static_cast<uint64_t>(parameters.get<int64_t>("split_seed")),
          .loading = read_data_options(parameters)};
}

void IdxDataModule::load() {
  split(read_pair(options_.images, options_.labels),
        {.val_fraction = options_.val_fraction, .test_fraction = 0.0, .seed = options_.split_seed});
  if (!options_.test_images.empty()) {
    test_ = read_pair(options_.test_images, options_.test_labels);
  }
}

}  // namespace grapnel
