// grapnel checkpoint verify
#include <fmt/format.h>

#include <memory>
#include <vector>

#include <grapnel/base/checkpoint_file.h>
#include <grapnel/base/digest.h>
#include <grapnel/base/error.h>
#include <grapnel/base/text.h>

#include "commands.h"
#include "output.h"

namespace grapnel::program {
namespace {

struct VerifyOptions {
  std::vector<std::string> files;
  bool json = false;
};

// Adds the findings to `result`; true when the file is intact.
bool verify(const std::string& path, const VerifyOptions& options, Context& context,
            ConfigValue& result) {
  result.set("path", path);
  try {
    const CheckpointFile file = CheckpointFile::open(path, CheckpointCheck::whole_file);
    const std::string sha256 = hex(file.sha256());
    result.set("ok", true);
    result.set("sha256", sha256);
    result.set("tensors", file.tensors().size());
    result.set("bytes", file.file_size());
    if (!options.json) {
      print(fmt::format("{} {}: {} tensors, {}, SHA-256 {}\n", paint("ok", Color::green),
                        printable(path), file.tensors().size(), human_bytes(file.file_size()),
                        sha256));
    }
    return true;
  } catch (const Error& error) {
    result.set("ok", false);
    result.set("error", error.what());
    if (!options.json) print_error(error.what());
    context.exit_code = exit_code_of(error);
    return false;
  }
}

void run(const VerifyOptions& options, Context& context) {
  ConfigValue results = ConfigValue::array();
  std::size_t damaged = 0;
  for (const std::string& path : options.files) {
    ConfigValue result = ConfigValue::object();
    if (!verify(path, options, context, result)) ++damaged;
    results.append(std::move(result));
  }
  if (options.json) {
    print_json(results);
  } else if (options.files.size() > 1) {
    print(fmt::format("{} files, {} damaged\n", options.files.size(), damaged));
  }
}

}  // namespace

void add_checkpoint_verify(CLI::App& parent, Context& context) {
  auto options = std::make_shared<VerifyOptions>();
  CLI::App* command = parent.add_subcommand("verify", "Check every byte of checkpoints");
  command->add_option("FILE", options->files, "One or more .ckpt files")->required();
  command->add_flag("--json", options->json, "Print JSON");
  command->footer(
      "Compares each file with the checksums in it. Exits with 5 when one is damaged or\n"
      "not a checkpoint.\n"
      "\n"
      "Example:\n"
      "  grapnel checkpoint verify runs/mlp-digits-0/checkpoints/*.ckpt");
  command->callback([options, &context] { run(*options, context); });
}

}  // namespace grapnel::program
