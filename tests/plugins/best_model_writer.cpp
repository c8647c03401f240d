// Lets best_model_exporter write a file for best_model_python_test.py: best_model_writer DIRECTORY
#include <cstdlib>

#include "sdk/testkit.h"

using namespace grapnel::test;

int main(int argc, char** argv) {
  if (argc != 2) return EXIT_FAILURE;
  RecordingHost host;
  host.params = {{"monitor", std::string("val_loss")},
                 {"mode", std::string("min")},
                 {"filename", std::string("best.safetensors")}};
  host.run_directory = argv[1];
  auto weight = FakeTensor::make({0, 1, 2, 3, 4, 5});
  weight->sizes = {2, 3};
  auto nothing = FakeTensor::make({});
  nothing->sizes = {0, 4};
  host.parameters = {{"layer.weight", weight, nullptr},
                     {"layer.\"odd\" \xf0\x9f\x90\x99", FakeTensor::scalar(2.5), nullptr},
                     {"nothing", nothing, nullptr}};
  host.buffers = {{"counts", FakeTensor::make({-1, 7}, GRAPNEL_DTYPE_I64), nullptr},
                  {"precise", FakeTensor::make({0.1}, GRAPNEL_DTYPE_F64), nullptr}};
  host.metrics.push_back({"val_loss", 0.1, 0, 0});
  host.trainer.current_epoch = 3;
  host.trainer.global_step = 40;
  const PluginFile plugin(PLUGIN_FILE);
  RunningCallback exporter(host, plugin.entry(), "best_model_exporter");
  const bool ok = exporter.fire<grapnel_Event>(GRAPNEL_HOOK_on_validation_end) == GRAPNEL_OK;
  return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
