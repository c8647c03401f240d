// grapnel checkpoint export
#include <fmt/format.h>

#include <memory>
#include <string>

#include <grapnel/base/json.h>
#include <grapnel/base/text.h>
#include <grapnel/host/checkpoint_export.h>

#include "commands.h"
#include "output.h"

namespace grapnel::program {
namespace {

struct ExportCommand {
  std::string file;
  std::string output;
  host::ExportOptions options;
  bool json = false;
};

void run(const ExportCommand& command) {
  const host::ExportedWeights exported =
      host::export_weights(command.file, command.output, command.options);
  if (command.json) {
    ConfigValue result = ConfigValue::object();
    result.set("path", command.output);
    result.set("tensors", exported.tensors);
    result.set("bytes", exported.bytes);
    result.set("folded", exported.folded);
    result.set("replaced", exported.replaced);
    print_json(result);
    return;
  }
  std::string notes;
  if (exported.folded > 0) notes += fmt::format(", {} of them pruned", exported.folded);
  if (exported.replaced > 0) notes += fmt::format(", {} of them replaced", exported.replaced);
  print(fmt::format("{}: {} tensors{}, {}\n", printable(command.output), exported.tensors, notes,
                    human_bytes(exported.bytes)));
}

}  // namespace

void add_checkpoint_export(CLI::App& parent, Context&) {
  auto options = std::make_shared<ExportCommand>();
  CLI::App* command =
      parent.add_subcommand("export", "Write a checkpoint's weights as a plain safetensors file");
  command->add_option("FILE", options->file, "A .ckpt file")->required();
  command->add_option("-o,--output", options->output, "The file to write")->required();
  CLI::Option* leased = command->add_flag(
      "--leased", options->options.leased,
      "Take what was in the weights' place when the checkpoint was written, such as an average");
  command
      ->add_option("--callback", options->options.callback,
                   "Take the weights in this callback's state, such as an average: its state key, "
                   "or the start of it")
      ->excludes(leased);
  command->add_flag("--json", options->json, "Print JSON");
  command->footer(
      "The tensors have the model's own names, so PyTorch takes them as they are:\n"
      "  model.load_state_dict(safetensors.torch.load_file(\"weights.safetensors\"))\n"
      "A pruned parameter is written as the model uses it, without its mask.\n"
      "\n"
      "Example:\n"
      "  grapnel checkpoint export runs/mlp-digits-0/checkpoints/last.ckpt -o weights.safetensors");
  command->callback([options] { run(*options); });
}

}  // namespace grapnel::program
