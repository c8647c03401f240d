#if !defined(_WIN32)
#include <sys/stat.h>
#endif

#include "grapnel/script_module.h"

#include <ATen/Functions.h>
#include <torch/csrc/jit/api/module.h>

#include "catch.h"
#include "grapnel/base/error.h"
#include "temp_dir.h"

namespace script_module_test {

using namespace grapnel;
using Catch::Contains;
using grapnel::test::TempDir;

namespace {

// A linear layer with a buffer, in TorchScript.
std::filesystem::path write_script(const TempDir& directory, const std::string& code) {
  torch::jit::Module module("Linear");
  module.register_parameter("weight", at::arange(6, at::kFloat).view({2, 3}).requires_grad_(),
                            false);
  module.register_parameter("bias", at::ones({2}).requires_grad_(), false);
  module.register_buffer("calls", at::zeros({}));
  module.register_attribute("training", c10::BoolType::get(), true);
  module.define(code);
  const auto path = directory / "linear.pt";
  module.save(path.string());
  return path;
}

const char* const kLinear = R"(
def forward(self, x):
    if self.training:
        self.calls += 1
    return torch.matmul(x, self.weight.t()) + self.bias
)";

}  // namespace

TEST_CASE("a TorchScript file is a module: forward, parameters, buffers, modes") {
  const TempDir directory;
  ScriptModule module(write_script(directory, kLinear));
  CHECK(module.type_name() == "ScriptModule");
  const at::Tensor output = module.forward(at::ones({1, 3}));
  CHECK(output.equal(at::tensor({4.0F, 13.0F}).view({1, 2})));
  REQUIRE(module.state_view().entries().size() == 3);
  CHECK(module.state_view().entries()[0].name == "weight");
  CHECK_FALSE(module.state_view().find("calls")->is_parameter);

  CHECK(module.state_view().find("calls")->tensor.item().toInt() == 1);
  module.train(false);
  module.forward(at::ones({1, 3}));
  CHECK(module.state_view().find("calls")->tensor.item().toInt() == 1);
  const auto modes = module.training_modes();
  CHECK(modes == std::vector<std::pair<std::string, bool>>{{"", false}});
  module.train(true);
  module.set_training_modes(modes);
  CHECK_FALSE(module.training_modes()[0].second);
}

TEST_CASE("a ScriptModule's weights can be trained and saved as TorchScript") {
  const TempDir directory;
  ScriptModule module(
      write_script(directory, kLinear),
      {.loss = Loss::mse, .optimizer = parse_json(R"({"name": "SGD", "lr": 0.5})", "test")});
  const OptimizerConfig config = module.configure_optimizers();
  REQUIRE(config.optimizers.size() == 1);
  CHECK(config.optimizers[0]->groups()[0].params.size() == 2);
  module.forward(at::ones({1, 3})).sum().backward();
  config.optimizers[0]->step();
  module.save(directory / "trained.pt");
  CHECK(ScriptModule(directory / "trained.pt")
            .forward(at::ones({1, 3}))
            .equal(at::tensor({2.0F, 11.0F}).view({1, 2})));
  CHECK_THROWS_AS(module.save(directory / "missing" / "x.pt"), IoError);
}

TEST_CASE("a file that is not a TorchScript module is refused with the reason") {
  const TempDir directory;
  CHECK_THROWS_AS(ScriptModule(directory / "none.pt"), ConfigError);
  CHECK_THROWS_WITH(ScriptModule(directory / "none.pt"),
                    Contains("none.pt") && Contains("no such file"));
  const auto text = directory.write("text.pt", "not a zip file at all");
  CHECK_THROWS_WITH(ScriptModule(text), Contains("text.pt") && Contains("torch.jit.save"));
#if !defined(_WIN32)
  REQUIRE(mkfifo((directory / "fifo.pt").c_str(), 0600) == 0);
  CHECK_THROWS_WITH(ScriptModule(directory / "fifo.pt"),
                    Contains("fifo.pt") && Contains("not a regular file"));
#endif
  const auto other = write_script(directory, "def score(self, x):\n    return x\n");
  CHECK_THROWS_WITH(ScriptModule(other), Contains("has no forward"));
  ScriptModule pair(write_script(directory, "def forward(self, x):\n    return (x, x)\n"));
  CHECK_THROWS_WITH(pair.forward(at::ones({1})), Contains("Tuple") && Contains("not a tensor"));
}

TEST_CASE("a damaged TorchScript file is refused in one line that names it, or loads") {
  const TempDir directory;
  const auto whole = grapnel::test::read_file(write_script(directory, kLinear));
  int refused = 0;
  for (size_t at = 0; at < whole.size(); at += 37) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x55);
    const auto file = directory.write("damaged.pt", damaged);
    try {
      ScriptModule module(file);
    } catch (const ConfigError& error) {
      const std::string text = error.what();
      CHECK_THAT(text, Contains("damaged.pt"));
      CHECK(text.find('\n') == std::string::npos);
      ++refused;
    }
  }
  CHECK(refused > 0);
}

}  // namespace script_module_test
