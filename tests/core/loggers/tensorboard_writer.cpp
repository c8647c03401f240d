// Writes event files of everything that TensorBoardLogger can write, for tensorboard_reader_test.py:
//   tensorboard_writer DIRECTORY
#include <ATen/ATen.h>

#include "grapnel/loggers/tensorboard_logger.h"

using namespace grapnel;

int main(int, char** arguments) {
  const TensorBoardLoggerOptions options{
      .directory = {.save_dir = arguments[1], .name = "tb", .version = "version_0"}};
  StateDict state;
  {
    TensorBoardLogger logger(options);
    logger.start();
    logger.log_hyperparams({{"lr", 0.5},
                            {"name", "a text"},
                            {"net", StateDict{{"deep", true}}},
                            {"none", StateValue()}});
    for (int64_t step = 0; step < 5; ++step) {
      logger.log_metrics({{"loss", 1.0 / static_cast<double>(step + 1)}, {"val/loss", -2.0}}, step);
    }
    logger.log_text("notes", "some *markdown*", 3);
    logger.log_histogram("weights", at::tensor({-1.0, 0.0, 0.5, 0.5, 2.0}), 2);
    state = logger.state_dict();
    logger.log_metrics({{"loss", 99.0}}, 5);  // after the checkpoint: taken back
    logger.save();
  }
  TensorBoardLogger resumed(options);
  resumed.load_state_dict(state);
  resumed.log_metrics({{"loss", 0.125}}, 5);
  resumed.finalize("success");
  return 0;
}
