// Tensors are handles: what they compute, how long they live, how operators are called by name.
#include <array>
#include <cmath>
#include <limits>
#include <tuple>

#include "catch.h"
#include "wrapped.h"

namespace tensor_test {

using namespace grapnel::test;
using grapnel::plugin::Callback;
using grapnel::plugin::Dtype;
using grapnel::plugin::Tensor;
using grapnel::plugin::TensorList;

namespace {

using Body = void (*)(Callback::Event&);
Body body = nullptr;

struct Runner final : Callback {
  void on_fit_start(Event& event) override { body(event); }
};

std::int32_t run(RecordingHost& host, Body what) {
  body = what;
  RunningCallback running(host, plugin_of<Runner>(), "it");
  return running.fire<grapnel_Event>(GRAPNEL_HOOK_on_fit_start);
}

using Values = std::vector<double>;

}  // namespace

TEST_CASE("a tensor made from numbers gives them back") {
  RecordingHost host;
  CHECK(run(host, [](auto& event) {
          const Tensor tensor = event.tensor({1, 2, 3, 4, 5, 6}, {2, 3});
          CHECK(tensor.dtype() == Dtype::f64);
          CHECK(tensor.sizes() == std::vector<std::int64_t>{2, 3});
          CHECK(tensor.dim() == 2);
          CHECK(tensor.numel() == 6);
          CHECK(tensor.is_cpu());
          CHECK(tensor.is_floating_point());
          CHECK(tensor.to(Dtype::f32).to_vector() == Values{1, 2, 3, 4, 5, 6});
          CHECK(tensor.to_integers() == std::vector<std::int64_t>{1, 2, 3, 4, 5, 6});
        }) == GRAPNEL_OK);
  CHECK(host.live_handles == 0);
}

TEST_CASE("in-place functions change the tensor, seen through every copy of the handle") {
  RecordingHost host;
  CHECK(run(host, [](auto& event) {
          Tensor tensor = event.tensor({1, -4});
          const Tensor same = tensor;
          const Tensor other = event.tensor({10, 20});
          tensor.add_(other).mul_(2).sub_(other, 0.5);
          CHECK(same.to_vector() == Values{17, 22});
          tensor.copy_(other).lerp_(event.tensor({20, 40}), 0.25);
          CHECK(same.to_vector() == Values{12.5, 25});
          tensor.clamp_(13, 14).add_(1).div_(2).mul_(event.tensor({2, 4}));
          CHECK(same.to_vector() == Values{14, 30});
          tensor.fill_(3);
          CHECK(same.to_vector() == Values{3, 3});
          tensor.zero_();
          CHECK(same.to_vector() == Values{0, 0});
        }) == GRAPNEL_OK);
  CHECK(host.live_handles == 0);
}

TEST_CASE("functions that return a tensor don't change the original") {
  RecordingHost host;
  CHECK(run(host, [](auto& event) {
          const Tensor tensor = event.tensor({3, -4});
          CHECK(tensor.norm().item() == 5);
          CHECK(tensor.norm(1).item() == 7);
          CHECK(tensor.norm(std::numeric_limits<double>::infinity()).item() == 4);
          CHECK(tensor.abs().to_vector() == Values{3, 4});
          CHECK(tensor.max().item() == 3);
          CHECK(tensor.min().item() == -4);
          CHECK(tensor.sum().item() == -1);
          CHECK(tensor.mean().item() == -0.5);
          Tensor copy = tensor.clone();
          copy.zero_();
          CHECK(tensor.to_vector() == Values{3, -4});
          CHECK(tensor.all_finite());
          CHECK_FALSE(event.tensor({1, NAN}).all_finite());
        }) == GRAPNEL_OK);
  CHECK(host.live_handles == 0);
}

TEST_CASE("the elements of a tensor are read in their own dtype") {
  RecordingHost host;
  CHECK(run(host, [](auto& event) {
          const Tensor tensor = event.tensor({3, -4});
          std::array<float, 2> elements{};
          tensor.to(Dtype::f32).read(elements.data(), sizeof elements);
          CHECK(elements == std::array<float, 2>{3, -4});
          CHECK_THROWS_WITH(tensor.read(elements.data(), sizeof elements),
                            Catch::StartsWith("reading a tensor: the host rejects the arguments"));
        }) == GRAPNEL_OK);
  CHECK(host.live_handles == 0);
}

TEST_CASE("an undefined tensor reports that it is undefined") {
  RecordingHost host;
  CHECK(run(host, [](auto&) {
          CHECK_FALSE(Tensor().defined());
          CHECK_THROWS_WITH(Tensor().item(), "this Tensor is undefined");
          TensorList list;
          CHECK_THROWS_WITH(list.push_back(Tensor()), "this Tensor is undefined");
        }) == GRAPNEL_OK);
}

TEST_CASE("operators over lists take one call for all tensors") {
  RecordingHost host;
  CHECK(run(host, [](auto& event) {
          TensorList target;
          TensorList end;
          for (const double value : {0., 1., 2.}) {
            target.push_back(event.tensor({value}));
            end.push_back(event.tensor({10}));
          }
          grapnel::plugin::foreach_lerp_(target, end, 0.5);
          grapnel::plugin::foreach_mul_(target, 2);
          CHECK(grapnel::plugin::stack(target).to_vector() == Values{10, 11, 12});
          const TensorList norms = grapnel::plugin::foreach_norm(target);
          CHECK(grapnel::plugin::stack(norms).to_vector() == Values{10, 11, 12});
          grapnel::plugin::foreach_copy_(target, end);
          CHECK(target[2].item() == 10);
          grapnel::plugin::foreach_sub_(target, end);
          CHECK(target[2].item() == 0);
          TensorList moved = std::move(target);
          CHECK(target.empty());
          CHECK(moved.size() == 3);
          grapnel::plugin::foreach_lerp_(target, target, 0.5);  // nothing to do
        }) == GRAPNEL_OK);
  CHECK(host.live_handles == 0);
  CHECK(host.calls == std::vector<std::string>{"aten::_foreach_lerp_.Scalar",
                                               "aten::_foreach_mul_.Scalar", "aten::stack",
                                               "aten::_foreach_norm.Scalar", "aten::stack",
                                               "aten::_foreach_copy_", "aten::_foreach_sub_.List"});
}

TEST_CASE("any operator can be called by name") {
  RecordingHost host;
  CHECK(run(host, [](auto& event) {
          const Tensor tensor = event.tensor({4, 9});
          CHECK(tensor.call("aten::sqrt", "").to_vector() == Values{2, 3});
          event.template call<void>("aten::fill_", "Scalar", tensor, 1);
          const auto [copy] = event.template call<std::tuple<Tensor>>("aten::clone", "", tensor);
          CHECK(copy.to_vector() == Values{1, 1});
        }) == GRAPNEL_OK);
  CHECK(host.live_handles == 0);
}

TEST_CASE("calling an unknown operator is an error that names it") {
  RecordingHost host;
  CHECK(run(host, [](auto& event) { event.tensor({1}).call("aten::sqroot", "out"); }) ==
        GRAPNEL_ERROR);
  CHECK(host.failures == std::vector<std::string>{"operator aten::sqroot.out: there is none"});
  CHECK(host.live_handles == 0);
}

TEST_CASE("a failing operator is the host's failure, and no handle leaks") {
  RecordingHost host;
  CHECK(run(host, [](auto& event) {
          event.tensor({1, 2}).add_(event.tensor({1, 2, 3}));
        }) == GRAPNEL_PENDING);
  CHECK(host.failures.empty());
  CHECK(host.live_handles == 0);
}

TEST_CASE("an operator result of another type than requested is an error, and is released") {
  RecordingHost host;
  CHECK(run(host, [](auto& event) {
          event.template call<double>("aten::clone", "", event.tensor({1}));
        }) == GRAPNEL_ERROR);
  CHECK(host.failures == std::vector<std::string>{"the operator doesn't return a number"});
  CHECK(host.live_handles == 0);
}

}  // namespace tensor_test
