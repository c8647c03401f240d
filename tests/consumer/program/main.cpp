// A training in someone's own program: a module and data of its own, and the callbacks of all enabled
// plugins in one call. Prints how many steps were made and who stopped the run, if anybody did.
#include <ATen/ATen.h>
#include <grapnel/bridge/plugins.h>
#include <grapnel/optim/sgd.h>

#include <cstdio>
#include <exception>

namespace {

class Line : public grapnel::Module {
 public:
  Line() {
    weight_ = at::zeros({1, 1}).set_requires_grad(true);
    view_.add({"weight", weight_});
  }
  grapnel::StepOutput training_step(grapnel::Batch& batch, int64_t) override {
    return (batch[0].mm(weight_) - batch[1]).pow(2).mean();
  }
  grapnel::OptimizerConfig configure_optimizers() override {
    return std::make_shared<grapnel::SGD>(grapnel::one_group({weight_}),
                                          grapnel::SGDOptions{.lr = 0.1});
  }

 private:
  at::Tensor weight_;
};

class Twos : public grapnel::DataLoader {
 public:
  std::optional<int64_t> size() const override { return 10; }
  void start(int64_t) override { next_ = 0; }
  std::optional<grapnel::Batch> next() override {
    if (next_++ == 10) return {};
    return grapnel::Batch({at::ones({4, 1}), at::full({4, 1}, 2.0)});
  }

 private:
  int next_ = 0;
};

}  // namespace

int main() {
  try {
    Line model;
    const auto trainer = grapnel::bridge::make_trainer(
        {.max_epochs = 1, .enable_checkpointing = false}, {}, {},
        {{.name = "loss_limit",
          .options = {.parameters = grapnel::parse_json(R"({"limit": 1.0})", "main")}}});
    trainer->fit(model, grapnel::Data(std::make_shared<Twos>()));
    std::printf("steps %lld\n", static_cast<long long>(trainer->global_step()));
    for (const grapnel::Request& request : trainer->granted_requests()) {
      std::printf("%s: %s\n", request.author.c_str(), request.reason.c_str());
    }
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
