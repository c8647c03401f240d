// Extension tensors: handles, whose they are, and the way of elements in and out.
#include <ATen/ops/ones.h>
#include <grapnel/ext/tensors.h>

#include <algorithm>

#include "../../host/bridge/src/tensor_handles.h"
#include "catch.h"
#include "support/in_process_plugin.h"
#include "support/toy_training.h"

namespace tensors_test {

using namespace grapnel;
using namespace grapnel::test;
using Values = std::vector<double>;

namespace {

// Runs the body in one hook of a short training, with the module's weight as a borrowed handle.
template <class Body>
void in_hook(Body body) {
  InProcessPlugin plugin;
  bool ran = false;
  plugin.on(Hook::on_train_start, [&](const Caller& caller, const grapnel_Event*) {
    body(caller, caller.entry(GRAPNEL_MODULE_PARAMETERS, 0).tensor);
    ran = true;
    return GRAPNEL_OK;
  });
  Toy toy;
  toy.fit({plugin.handle()});
  REQUIRE(ran);
}

}  // namespace

TEST_CASE("a tensor handle describes dtype, shape and memory") {
  in_hook([](const Caller& caller, grapnel_tensor* weight) {
    const grapnel_tensor_info* info = &caller.describe(weight);
    CHECK(info->struct_size == sizeof(grapnel_tensor_info));
    CHECK(info->dtype == GRAPNEL_DTYPE_F32);
    CHECK(info->device_type == GRAPNEL_DEVICE_CPU);
    CHECK(info->device_index == -1);
    CHECK(info->layout == GRAPNEL_TENSOR_STRIDED);
    REQUIRE(info->ndim == 2);
    CHECK(info->sizes[0] == 3);
    CHECK(info->sizes[1] == 1);
    CHECK(info->strides[0] == 1);
    CHECK(info->numel == 3);
    REQUIRE(info->data != nullptr);
    CHECK(static_cast<const float*>(info->data)[2] == Approx(0.2));
  });
}

TEST_CASE("elements of a tensor are copied out row-major, whatever the strides") {
  in_hook([](const Caller& caller, grapnel_tensor*) {
    const std::int64_t sizes[] = {2, 3};
    const float elements[] = {1, 2, 3, 4, 5, 6};
    grapnel_tensor* made = nullptr;
    REQUIRE(caller.tensors().from_data(caller.host, GRAPNEL_DTYPE_F32, sizes, 2, elements,
                                       sizeof elements, &made) == GRAPNEL_OK);
    std::vector<grapnel_value> results(1);
    REQUIRE(caller.call("aten::t", "", {value_of(made)}, results) == GRAPNEL_OK);
    CHECK(caller.values(results[0].u.tensor) == Values{1, 4, 2, 5, 3, 6});
    CHECK(caller.tensors().release(caller.host, made) == GRAPNEL_OK);
    CHECK(caller.tensors().release(caller.host, results[0].u.tensor) == GRAPNEL_OK);
  });
}

TEST_CASE("writes between begin_write and end_write are in the tensor, through any view") {
  in_hook([](const Caller& caller, grapnel_tensor*) {
    grapnel_tensor* base = caller.floats({1, 2, 3, 4});
    std::vector<grapnel_value> every_other(1);
    REQUIRE(caller.call("aten::slice", "Tensor",
                        {value_of(base), value_of(std::int64_t{0}), value_of(std::int64_t{0}),
                         value_of(std::int64_t{4}), value_of(std::int64_t{2})},
                        every_other) == GRAPNEL_OK);
    grapnel_tensor* view = every_other[0].u.tensor;
    void* data = nullptr;
    std::uint64_t bytes = 0;
    REQUIRE(caller.tensors().begin_write(caller.host, view, &data, &bytes) == GRAPNEL_OK);
    REQUIRE(bytes == 2 * sizeof(float));
    static_cast<float*>(data)[1] = 30;  // the other element stays as it was
    CHECK(caller.tensors().begin_write(caller.host, view, &data, &bytes) ==
          GRAPNEL_INVALID_ARGUMENT);
    REQUIRE(caller.tensors().end_write(caller.host, view) == GRAPNEL_OK);
    CHECK(caller.tensors().end_write(caller.host, view) == GRAPNEL_INVALID_ARGUMENT);
    CHECK(caller.values(base) == Values{1, 2, 30, 4});
    caller.tensors().release(caller.host, view);
    caller.tensors().release(caller.host, base);
  });
}

TEST_CASE("only a tensor with one element converts to a number") {
  in_hook([](const Caller& caller, grapnel_tensor* weight) {
    double number = 0;
    grapnel_tensor* one = caller.floats({2.5f});
    CHECK(caller.tensors().to_f64(caller.host, one, &number) == GRAPNEL_OK);
    CHECK(number == 2.5);
    CHECK(caller.tensors().to_f64(caller.host, weight, &number) == GRAPNEL_INVALID_ARGUMENT);
    caller.tensors().release(caller.host, one);
  });
}

TEST_CASE("a borrowed handle can be retained, not released") {
  in_hook([](const Caller& caller, grapnel_tensor* weight) {
    CHECK(caller.tensors().release(caller.host, weight) == GRAPNEL_INVALID_ARGUMENT);
    grapnel_tensor* own = nullptr;
    REQUIRE(caller.tensors().retain(caller.host, weight, &own) == GRAPNEL_OK);
    CHECK(own != weight);
    CHECK(caller.describe(own).data == caller.describe(weight).data);
    CHECK(caller.tensors().release(caller.host, own) == GRAPNEL_OK);
  });
}

TEST_CASE("use of a released tensor handle is an error, not a read of freed memory") {
  CapturedLog log;
  in_hook([](const Caller& caller, grapnel_tensor*) {
    grapnel_tensor* tensor = caller.floats({1});
    double number = 0;
    REQUIRE(caller.tensors().release(caller.host, tensor) == GRAPNEL_OK);
    CHECK(caller.tensors().release(caller.host, tensor) == GRAPNEL_INVALID_ARGUMENT);
    CHECK(caller.tensors().to_f64(caller.host, tensor, &number) == GRAPNEL_INVALID_ARGUMENT);
    const grapnel_tensor_info* info = nullptr;
    CHECK(caller.tensors().describe(caller.host, tensor, &info) == GRAPNEL_INVALID_ARGUMENT);
    CHECK(info == nullptr);
  });
  CHECK_THAT(log.text(), Catch::Contains("[probe] broke the contract of tensors.release in "
                                         "on_train_start"));
}

TEST_CASE("a released tensor handle is not reused within the same call") {
  in_hook([](const Caller& caller, grapnel_tensor*) {
    grapnel_tensor* stale = caller.floats({1});
    REQUIRE(caller.tensors().release(caller.host, stale) == GRAPNEL_OK);
    for (int i = 0; i < 1000; ++i) {
      grapnel_tensor* other = caller.floats({2});
      REQUIRE(other != stale);
      double number = 0;
      REQUIRE(caller.tensors().to_f64(caller.host, stale, &number) == GRAPNEL_INVALID_ARGUMENT);
      REQUIRE(caller.tensors().release(caller.host, other) == GRAPNEL_OK);
    }
    CHECK(caller.tensors().release(caller.host, stale) == GRAPNEL_INVALID_ARGUMENT);
  });
}

TEST_CASE(
    "released tensor handles are reused oldest first, and only when enough others are released") {
  bridge::TensorHandles handles;
  const std::size_t fewest = bridge::TensorHandles::kFewestResting;
  const at::Tensor tensor = at::ones({1});
  std::vector<grapnel_tensor*> made;
  for (std::size_t i = 0; i < fewest + 2; ++i) made.push_back(handles.own(tensor));
  for (grapnel_tensor* handle : made) REQUIRE(handles.release(handle));
  grapnel_tensor* in_same_call = handles.own(tensor);
  CHECK(std::count(made.begin(), made.end(), in_same_call) == 0);
  handles.next_call();
  CHECK(handles.own(tensor) == made[0]);
  CHECK(handles.own(tensor) == made[1]);
  grapnel_tensor* fresh = handles.own(tensor);
  CHECK(std::count(made.begin(), made.end(), fresh) == 0);
  CHECK(handles.owned() == 4);
}

TEST_CASE("a call that makes and releases tensors in a loop reuses its first handles") {
  bridge::TensorHandles handles;
  const at::Tensor tensor = at::ones({1});
  grapnel_tensor* first = handles.own(tensor);
  REQUIRE(handles.release(first));
  std::size_t until = 0;
  for (; until < 2 * bridge::TensorHandles::kMostResting; ++until) {
    grapnel_tensor* handle = handles.own(tensor);
    REQUIRE(handles.release(handle));
    if (handle == first) break;
  }
  CHECK(until == bridge::TensorHandles::kMostResting);
}

TEST_CASE("a plugin instance cannot release another instance's tensor") {
  bridge::TensorHandles mine, theirs;
  grapnel_tensor* handle = theirs.own(at::ones({1}));
  CHECK(mine.find(handle) == nullptr);
  CHECK(theirs.owned() == 1);
  CHECK(theirs.release(handle));
}

TEST_CASE("tensor data that doesn't match dtype and sizes is refused") {
  in_hook([](const Caller& caller, grapnel_tensor* weight) {
    const grapnel_tensors& tensors = caller.tensors();
    const float data[4] = {};
    const std::int64_t huge[] = {1LL << 40, 1LL << 40};
    const std::int64_t four = 4;
    grapnel_tensor* made = nullptr;
    CHECK(tensors.from_data(caller.host, GRAPNEL_DTYPE_F32, huge, 2, data, 16, &made) ==
          GRAPNEL_INVALID_ARGUMENT);
    CHECK(tensors.from_data(caller.host, GRAPNEL_DTYPE_F32, &four, 1, data, 12, &made) ==
          GRAPNEL_INVALID_ARGUMENT);
    CHECK(tensors.from_data(caller.host, GRAPNEL_DTYPE_F32, &four, 1, nullptr, 16, &made) ==
          GRAPNEL_INVALID_ARGUMENT);
    CHECK(tensors.from_data(caller.host, 9, &four, 1, data, 16, &made) == GRAPNEL_UNSUPPORTED);
    CHECK(made == nullptr);
    float small[2] = {};
    CHECK(tensors.read(caller.host, weight, small, sizeof small) == GRAPNEL_INVALID_ARGUMENT);
    const std::int64_t none_of_it[] = {0, 3};
    REQUIRE(tensors.from_data(caller.host, GRAPNEL_DTYPE_I64, none_of_it, 2, nullptr, 0, &made) ==
            GRAPNEL_OK);
    CHECK(caller.describe(made).numel == 0);
    CHECK(tensors.read(caller.host, made, nullptr, 0) == GRAPNEL_OK);
    tensors.release(caller.host, made);
  });
}

TEST_CASE("tensors that a plugin never released are named when it is destroyed") {
  CapturedLog log;
  in_hook([](const Caller& caller, grapnel_tensor*) {
    caller.floats({1});
    caller.floats({2});
  });
  CHECK_THAT(log.text(),
             Catch::Contains("plugin 'probe' 1.2.3: callback 'probe' never released 2 tensors"));
}

TEST_CASE("the loss of on_before_backward is lent for that hook alone") {
  InProcessPlugin plugin;
  grapnel_tensor* lent = nullptr;
  double loss = -1;
  plugin.on(Hook::on_before_backward, [&](const Caller& caller, const grapnel_Event* event) {
    lent = reinterpret_cast<const grapnel_BackwardEvent*>(event)->loss;
    return caller.tensors().to_f64(caller.host, lent, &loss);
  });
  plugin.on(Hook::on_train_epoch_end, [&](const Caller& caller, const grapnel_Event*) {
    double late = 0;
    CHECK(caller.tensors().to_f64(caller.host, lent, &late) == GRAPNEL_INVALID_ARGUMENT);
    return GRAPNEL_OK;
  });
  Toy toy;
  toy.fit({plugin.handle()});
  CHECK(loss > 0);
}

}  // namespace tensors_test
