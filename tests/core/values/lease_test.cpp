#include "grapnel/lease.h"

#include <optional>
#include <stdexcept>

#include "captured_log.h"
#include "catch.h"

namespace lease_test {

using namespace grapnel;
using Catch::Contains;
using grapnel::test::CapturedLog;

namespace {}  // namespace

TEST_CASE("a lease is undone once: when ended, when its handle is destroyed, or with all others") {
  Leases leases;
  int undone = 0;
  {
    Lease lease = leases.take("swap", [&] { ++undone; });
    CHECK(lease.active());
    CHECK(leases.active() == std::vector<std::string>{"swap"});
    lease.end();
    lease.end();
    CHECK(undone == 1);
    CHECK_FALSE(lease.active());
  }
  CHECK(undone == 1);
  {
    const Lease lease = leases.take("swap", [&] { ++undone; });
  }
  CHECK(undone == 2);
  const Lease kept = leases.take("swap", [&] { ++undone; });
  leases.end_all();
  CHECK(undone == 3);
  CHECK_FALSE(kept.active());
}

TEST_CASE("Leases::end_all undoes leases last first") {
  Leases leases;
  std::string order;
  const Lease a = leases.take("a", [&] { order += "a"; });
  Lease b = leases.take("b", [&] { order += "b"; });
  const Lease c = leases.take("c", [&] { order += "c"; });
  b.end();
  CHECK(leases.active() == std::vector<std::string>{"a", "c"});
  leases.end_all();
  CHECK(order == "bca");
  CHECK(leases.active().empty());
}

TEST_CASE("a lease's undo that throws is logged and the others still run") {
  const CapturedLog log;
  Leases leases;
  bool undone = false;
  const Lease first = leases.take("first", [&] { undone = true; });
  const Lease second = leases.take("second", [] { throw std::runtime_error("stuck"); });
  const Lease third = leases.take("third", [] { throw 3; });
  leases.end_all();
  CHECK(undone);
  CHECK_THAT(log.text(), Contains("'second'") && Contains("stuck") && Contains("'third'"));
}

TEST_CASE("a lease's undo may take and end leases") {
  Leases leases;
  std::string order;
  std::optional<Lease> inner;
  Lease a = leases.take("a", [&] { order += "a"; });
  const Lease b = leases.take("b", [&] {
    order += "b";
    a.end();
    inner = leases.take("c", [&] { order += "c"; });
  });
  leases.end_all();
  CHECK(order == "bac");
}

TEST_CASE("moving a lease's handle transfers it; assigning to a handle ends its lease") {
  Leases leases;
  std::string order;
  Lease a = leases.take("a", [&] { order += "a"; });
  Lease moved = std::move(a);
  CHECK(order.empty());
  moved = leases.take("b", [&] { order += "b"; });
  CHECK(order == "a");
  moved = Lease();
  CHECK(order == "ab");
}

TEST_CASE("a lease that is kept is not undone, neither by its handle nor with the others") {
  Leases leases;
  int undone = 0;
  {
    Lease lease = leases.take("freeze", [&] { ++undone; });
    lease.keep();
    CHECK_FALSE(lease.active());
  }
  leases.end_all();
  CHECK(undone == 0);
  CHECK(leases.active().empty());
}

TEST_CASE("leases are not undone after their run is gone, nor when they are dropped") {
  int undone = 0;
  Lease lease;
  {
    Leases leases;
    lease = leases.take("swap", [&] { ++undone; });
    CHECK(lease.active());
  }
  CHECK_FALSE(lease.active());
  lease.end();
  Leases leases;
  const Lease other = leases.take("swap", [&] { ++undone; });
  leases.drop_all();
  CHECK(leases.active().empty());
  leases.end_all();
  CHECK(undone == 0);
}

}  // namespace lease_test
