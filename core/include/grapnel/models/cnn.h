// CNN: blocks of 3 x 3 convolution, batch normalization, ReLU and 2 x 2 max pooling, then one
// linear layer over what adaptive pooling leaves (2 x 2 per channel), so that it takes images of
// any size of at least 2^blocks.
#pragma once

#include <cstdint>
#include <vector>

#include "grapnel/export.h"
#include "grapnel/metric_names.h"
#include "grapnel/models/classifier.h"

namespace grapnel {

struct CNNOptions {
  int64_t in_channels = 1;
  std::vector<int64_t> channels = {16, 32};  // one block each
  int64_t classes = 10;
  double dropout = 0.0;  // before the linear layer, in [0, 1)
  ClassifierOptions training = {};
};

class GRAPNEL_CORE_API CNN : public Classifier, public MetricSource {
 public:
  // Initial weights come from LibTorch's default generator. Throws ConfigError for sizes below 1 or
  // no channels.
  explicit CNN(CNNOptions options = {});

  static const OptionsTable<CNNOptions>& options_table();

  std::vector<std::string> metric_names(const Trainer& trainer) const override;
};

}  // namespace grapnel
