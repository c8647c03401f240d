// Writes the checkpoint that python_safetensors_test.py reads back with the Python package of the
// format. Usage: python_safetensors_writer FILE
#include <ATen/Functions.h>

#include <cstdio>
#include <limits>

#include "grapnel/checkpoint.h"

using namespace grapnel;

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: python_safetensors_writer FILE\n", stderr);
    return 2;
  }
  const at::Tensor numbers = at::arange(6, at::kFloat).view({2, 3});
  const StateDict average = {{"layer.weight", numbers.mul(0.5)}};
  const StateDict checkpoint = {
      {"epoch", 3},
      {"best", std::numeric_limits<double>::quiet_NaN()},
      {"state_dict", StateDict{{"layer.weight", numbers.t()},
                               {"layer.bias", at::scalar_tensor(2.5, at::kDouble)},
                               {"counts", at::tensor({-1, 7}, at::kLong)},
                               {"mask", at::tensor({1, 0, 1}).to(at::kBool)},
                               {"half", numbers.to(at::kHalf)},
                               {"bytes", at::tensor({0, 255}).to(at::kByte)},
                               {"brain", numbers.to(at::kBFloat16)},
                               {"nothing", at::empty({0, 4})}}},
      {"optimizer_states",
       StateList{StateDict{{"state", StateDict{{"0", StateDict{{"exp_avg", numbers}}}}}}}},
      {"callbacks",
       StateDict{{"EarlyStopping{'monitor': 'val.loss'}", StateDict{{"wait_count", 2}}},
                 {"org.example.ema/ema/decay=0.99 \xF0\x9F\x90\x99",
                  StateDict{{"average", average}, {"updates", 5}}}}},
      {"rng", StateDict{{"cpu", at::tensor({1, 2, 3}).to(at::kByte)}}}};
  save_checkpoint_file(argv[1], checkpoint, Durability::fast);
  return 0;
}
