#include "grapnel/data/digits.h"

#include <algorithm>

#include "data/digits_data.h"
#include "data/shared_options.h"
#include "grapnel/data/idx.h"
#include "grapnel/data/permutation.h"

namespace grapnel {

DataSplit load_digits() {
  const at::Tensor images = parse_idx(digits_images(), "digits-images-idx3-ubyte (embedded)");
  const at::Tensor labels = parse_idx(digits_labels(), "digits-labels-idx1-ubyte (embedded)");
  return {images.to(at::kFloat).div_(16).unsqueeze(1), labels.to(at::kLong)};
}

const OptionsTable<DataOptions>& DigitsDataModule::options_table() {
  static const OptionsTable<DataOptions> table(
      "digits", "1,797 handwritten digits of 8 x 8 pixels, embedded in the library.",
      loading_options());
  return table;
}

void DigitsDataModule::load() {
  constexpr uint64_t kSplitSeed = 1797;
  constexpr int64_t kPerClass = 18;
  const DataSplit all = load_digits();
  const int64_t* labels = all[1].const_data_ptr<int64_t>();
  std::vector<int64_t> train, val, test;
  for (int64_t digit = 0; digit < 10; ++digit) {
    std::vector<int64_t> samples;
    for (int64_t i = 0; i < all[1].numel(); ++i) {
      if (labels[i] == digit) samples.push_back(i);
    }
    std::sort(samples.begin(), samples.end(), [](int64_t a, int64_t b) {
      return mix_bits(kSplitSeed, static_cast<uint64_t>(a)) <
             mix_bits(kSplitSeed, static_cast<uint64_t>(b));
    });
    test.insert(test.end(), samples.begin(), samples.begin() + kPerClass);
    val.insert(val.end(), samples.begin() + kPerClass, samples.begin() + 2 * kPerClass);
    train.insert(train.end(), samples.begin() + 2 * kPerClass, samples.end());
  }
  for (auto* part : {&train, &val, &test}) std::sort(part->begin(), part->end());
  train_ = take_samples(all, train);
  val_ = take_samples(all, val);
  test_ = take_samples(all, test);
}

}  // namespace grapnel
