// MLP: fully connected layers with ReLU and dropout between them, over the flattened input.
#pragma once

#include <cstdint>
#include <vector>

#include "grapnel/export.h"
#include "grapnel/metric_names.h"
#include "grapnel/models/classifier.h"

namespace grapnel {

struct MLPOptions {
  int64_t in_features = 64;  // numbers per sample; 64: the digits
  std::vector<int64_t> hidden = {64};
  int64_t classes = 10;
  double dropout = 0.0;  // after each hidden layer, in [0, 1)
  ClassifierOptions training = {};
};

class GRAPNEL_CORE_API MLP : public Classifier, public MetricSource {
 public:
  // Initial weights come from LibTorch's default generator. Throws ConfigError for sizes below 1.
  explicit MLP(MLPOptions options = {});

  static const OptionsTable<MLPOptions>& options_table();

  at::Tensor example_input() override;
  std::vector<std::string> metric_names(const Trainer& trainer) const override;

 private:
  int64_t in_features_;
};

}  // namespace grapnel
