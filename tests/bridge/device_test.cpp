// Extensions device and distributed: where the training runs.
#include <grapnel/ext/device.h>
#include <grapnel/ext/distributed.h>

#include <chrono>
#include <thread>

#include "catch.h"
#include "patience.h"
#include "support/in_process_plugin.h"
#include "support/toy_training.h"

namespace device_test {

using namespace grapnel;
using namespace grapnel::test;

TEST_CASE("a plugin reads the training's device, its memory and that of the process") {
  InProcessPlugin plugin;
  plugin.init = [](const Caller& caller) {
    const grapnel_device_info* info = nullptr;
    CHECK(caller.table<grapnel_device>(GRAPNEL_EXT_DEVICE).info(caller.host, &info) ==
          GRAPNEL_NOT_NOW);
    return GRAPNEL_OK;
  };
  plugin.on(Hook::on_train_start, [](const Caller& caller, const grapnel_Event*) {
    const auto& device = caller.table<grapnel_device>(GRAPNEL_EXT_DEVICE);
    const grapnel_device_info* info = nullptr;
    REQUIRE(device.info(caller.host, &info) == GRAPNEL_OK);
    CHECK(info->struct_size == sizeof *info);
    CHECK(info->type == GRAPNEL_DEVICE_CPU);
    CHECK(info->index == -1);
    CHECK(info->name.size < 1000);
    std::uint64_t used = 0, total = 0, resident = 0;
    REQUIRE(device.memory(caller.host, &used, &total) == GRAPNEL_OK);
    CHECK(used > 0);
    CHECK(used <= total);
    REQUIRE(device.process_memory(caller.host, &resident) == GRAPNEL_OK);
    CHECK(resident > (std::uint64_t{1} << 20));
    CHECK(resident < total);
    double percent = -1;
    std::int32_t status = GRAPNEL_NOT_FOUND;  // while no time has passed since the last call
    const auto give_up = std::chrono::steady_clock::now() + kPatience * std::chrono::seconds(30);
    while (status == GRAPNEL_NOT_FOUND && std::chrono::steady_clock::now() < give_up) {
      status = device.utilization(caller.host, &percent);
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    REQUIRE(status == GRAPNEL_OK);
    CHECK(percent >= 0);
    CHECK(percent <= 100);
    CHECK(device.memory(caller.host, nullptr, &total) == GRAPNEL_INVALID_ARGUMENT);
    CHECK(device.utilization(caller.host, nullptr) == GRAPNEL_INVALID_ARGUMENT);
    return GRAPNEL_OK;
  });
  Toy toy;
  toy.fit({plugin.handle()});
}

TEST_CASE("in one process the rank is 0 of 1 and collectives change nothing") {
  InProcessPlugin plugin;
  plugin.on(Hook::on_train_batch_end, [](const Caller& caller, const grapnel_Event*) {
    const auto& processes = caller.table<grapnel_distributed>(GRAPNEL_EXT_DISTRIBUTED);
    const grapnel_process_info* info = nullptr;
    REQUIRE(processes.info(caller.host, &info) == GRAPNEL_OK);
    CHECK(info->rank == 0);
    CHECK(info->local_rank == 0);
    CHECK(info->world_size == 1);
    CHECK(processes.barrier(caller.host) == GRAPNEL_OK);
    grapnel_tensor* tensor = caller.floats({1, 2.5f});
    for (std::int32_t kind = GRAPNEL_REDUCE_SUM; kind <= GRAPNEL_REDUCE_MAX; ++kind) {
      CHECK(processes.all_reduce(caller.host, tensor, kind) == GRAPNEL_OK);
    }
    CHECK(processes.broadcast(caller.host, tensor, 0) == GRAPNEL_OK);
    CHECK(caller.values(tensor) == std::vector<double>{1, 2.5});
    CHECK(processes.all_reduce(caller.host, tensor, 7) == GRAPNEL_UNSUPPORTED);
    CHECK(processes.broadcast(caller.host, tensor, 1) == GRAPNEL_INVALID_ARGUMENT);
    CHECK(processes.broadcast(caller.host, tensor, -1) == GRAPNEL_INVALID_ARGUMENT);
    CHECK(processes.all_reduce(caller.host, nullptr, 0) == GRAPNEL_INVALID_ARGUMENT);
    grapnel_tensor* weight = caller.entry(GRAPNEL_MODULE_PARAMETERS, 0).tensor;
    CHECK(processes.all_reduce(caller.host, weight, 0) == GRAPNEL_INVALID_ARGUMENT);
    const std::int64_t size = 1, number = 3;
    grapnel_tensor* integer = nullptr;
    CHECK(caller.tensors().from_data(caller.host, GRAPNEL_DTYPE_I64, &size, 1, &number, 8,
                                     &integer) == GRAPNEL_OK);
    CHECK(processes.all_reduce(caller.host, integer, GRAPNEL_REDUCE_SUM) == GRAPNEL_OK);
    CHECK(processes.all_reduce(caller.host, integer, GRAPNEL_REDUCE_MEAN) ==
          GRAPNEL_INVALID_ARGUMENT);
    caller.tensors().release(caller.host, integer);
    return caller.tensors().release(caller.host, tensor);
  });
  Toy toy;
  toy.fit({plugin.handle()});
}

}  // namespace device_test
