#include <fmt/format.h>

#include "grapnel/data/csv.h"

#include <ATen/Functions.h>

#include <cmath>

#include "captured_log.h"
#include "catch.h"
#include "grapnel/base/error.h"
#include "grapnel/base/json.h"
#include "grapnel/data/registry.h"
#include "temp_dir.h"

namespace csv_test {

using namespace grapnel;
using Catch::Contains;
using grapnel::test::CapturedLog;
using grapnel::test::TempDir;

TEST_CASE("CSV columns are named by the first line") {
  const TempDir directory;
  const auto path = directory.write(
      "a.csv",
      "\xEF\xBB\xBFheight, \"the, weight\",label\r\n1.5,-2e3,0\r\n\r\n +7 ,\"0.25\",nan\n");
  const CsvTable table = read_csv(path);
  CHECK(table.columns == std::vector<std::string>{"height", "the, weight", "label"});
  REQUIRE(table.rows.sizes() == at::IntArrayRef({2, 3}));
  CHECK(table.rows[0][0].item().toDouble() == 1.5);
  CHECK(table.rows[0][1].item().toDouble() == -2000.0);
  CHECK(table.rows[1][0].item().toDouble() == 7.0);
  CHECK(table.rows[1][1].item().toDouble() == 0.25);
  CHECK(std::isnan(table.rows[1][2].item().toDouble()));
  CHECK(read_csv(directory.write("b.csv", "a;b\n1;2"), ';').rows.numel() == 2);
}

TEST_CASE("a CSV cell that is not a number is refused with line and column") {
  const TempDir directory;
  const auto refused = [&](const std::string& text, const std::string& part) {
    const auto path = directory.write("bad.csv", text);
    CHECK_THROWS_AS(read_csv(path), DataError);
    CHECK_THROWS_WITH(read_csv(path), Contains("bad.csv") && Contains(part));
  };
  refused("", "no rows");
  refused("a,b\n", "no rows");
  refused("a,b\n1,2\n\n3\n", "line 4 has 1 fields, the first line names 2");
  refused("a,b,a\n1,2,3\n", "columns 1 and 3 are both named 'a'");
  refused("a,b\n1,two\n", "line 2, column 'b': 'two' is not a number");
  refused("a,b\n1,2x\n", "'2x'");
  refused("a,b\n1,\n", "''");
  refused("a,b\n1,0x10\n", "'0x10'");
  refused(std::string("a\n1\0\n", 5), "not a number");
  CHECK_THROWS_AS(read_csv(directory / "none.csv"), IoError);
}

TEST_CASE("a CSV file with other delimiters or line ends is read, or the error says what to set") {
  const TempDir directory;
  CHECK(read_csv(directory.write("cr.csv", "a,b\r1,2\r3,4\r")).rows.sizes() ==
        at::IntArrayRef({2, 2}));
  for (const char* text : {"a;b;y\n1.5;2;0\n", "a;b;y\n1,5;2;0\n"}) {
    CHECK_THROWS_WITH(read_csv(directory.write("semicolons.csv", text)),
                      Contains("line 2") && Contains("the first line has ';' in it") &&
                          Contains("set \"delimiter\" to \";\""));
  }
  CHECK_THROWS_WITH(read_csv(directory.write("tabs.csv", "a\tb\n1\t2\n")),
                    Contains("set \"delimiter\" to \"\\t\""));
  CHECK_THROWS_WITH(read_csv(directory.write("one.csv", "a\nx\n")), !Contains("delimiter"));
}

TEST_CASE("CSV features that name a column twice, or the target, are refused") {
  const TempDir directory;
  const auto path = directory.write("a.csv", "a,b,y\n1,2,0\n");
  CHECK_THROWS_WITH(CsvDataModule({.path = path, .target = "y", .features = {"a", "b", "a"}}),
                    Contains("features must name each column once, found 'a' twice"));
  CHECK_THROWS_WITH(CsvDataModule({.path = path, .target = "y", .features = {"a", "y"}}),
                    Contains("features names 'y', which is the target"));
  CHECK_THROWS_WITH(
      make_data(parse_json(R"({"name": "csv", "path": "a.csv", "target": "y",
                                             "features": ["a", "a"]})",
                           "run.json"),
                "data"),
      Contains("run.json:2:") && Contains("data.features must name each column once"));
  CHECK_THROWS_WITH(make_data(parse_json(R"({"name": "csv", "path": "a.csv", "target": "y",
                                             "val_fraction": 0.5, "test_fraction": 0.5})",
                                         "run.json"),
                              "data"),
                    Contains("run.json:2:") && Contains("data.val_fraction") &&
                        Contains("together below 1, found 0.5 and 0.5"));
}

TEST_CASE("CSV numbers that float32 has no finite value for are named with row and column") {
  const TempDir directory;
  const auto warnings = [&](const std::string& text, bool classes = true) {
    const CapturedLog log;
    CsvDataModule data({.path = directory.write("a.csv", text), .target = "y", .classes = classes});
    data.setup(RunKind::fit);
    return log.texts(LogLevel::warning);
  };
  for (const char* value : {"nan", "inf", "-inf", "1e39"}) {
    const auto said = warnings(fmt::format("a,b,y\n1,2,0\n3,{},1\n", value));
    INFO(value);
    REQUIRE(said.size() == 1);
    CHECK_THAT(said[0], Contains("a.csv") && Contains("row 2, column 'b': ") &&
                            Contains("no finite number in float32"));
  }
  const auto several = warnings("a,b,y\ninf,2,0\n3,nan,1\n4,nan,1\n");
  REQUIRE(several.size() == 1);
  CHECK_THAT(several[0], Contains("row 1, column 'a': inf") && Contains("nor are 2 others"));
  CHECK(warnings("a,y\n1,nan\n2,3\n", false).size() == 1);
  CHECK(warnings("a,b,y\n1,3.4e38,0\n").empty());
}

TEST_CASE("a CSV class that is no whole number of a useful size is refused with its row") {
  const TempDir directory;
  for (const char* value : {"inf", "1e300", "1e9", "0.5", "-1", "nan"}) {
    CsvDataModule data(
        {.path = directory.write("a.csv", fmt::format("x,y\n1,0\n2,{}\n", value)), .target = "y"});
    INFO(value);
    CHECK_THROWS_WITH(data.setup(RunKind::fit),
                      Contains("row 2, column 'y'") && Contains("is not a class"));
  }
}

TEST_CASE("of many columns the error about a missing one shows some") {
  const TempDir directory;
  std::string names, values;
  for (int i = 0; i < 20'000; ++i) {
    names += fmt::format("{}c{}", i == 0 ? "" : ",", i);
    values += i == 0 ? "1" : ",1";
  }
  CsvDataModule data(
      {.path = directory.write("a.csv", names + "\n" + values + "\n"), .target = "y"});
  try {
    data.setup(RunKind::fit);
    FAIL("it was accepted");
  } catch (const DataError& error) {
    CHECK_THAT(error.what(), Contains("'c19' and 19980 others"));
    CHECK(std::string(error.what()).size() < 500);
  }
}

TEST_CASE("the places of samples in their file are known through the split") {
  const TempDir directory;
  std::string text = "x,y\n";
  for (int i = 0; i < 40; ++i) text += fmt::format("{},0\n", i);
  CsvDataModule data({.path = directory.write("a.csv", text),
                      .target = "y",
                      .parts = {.val_fraction = 0.25, .test_fraction = 0.25}});
  data.setup(RunKind::fit);
  for (const DataSplit* part : {&data.train_split(), &data.val_split(), &data.test_split()}) {
    for (int64_t i = 0; i < (*part)[0].size(0); ++i) {
      const int64_t row = (*part)[0][i][0].item<int64_t>() + 1;
      CHECK_THAT(data.source_of(*part, i), Catch::StartsWith(fmt::format("row {} of '", row)));
    }
    CHECK(data.source_of(*part, 1000).empty());
  }
}

TEST_CASE("CSV columns become inputs and classes, with parts of the rows for validation and test") {
  const TempDir directory;
  std::string text = "x,label,y\n";
  for (int i = 0; i < 40; ++i)
    text += std::to_string(i) + "," + std::to_string(i % 3) + "," + std::to_string(-i) + "\n";
  CsvDataModule data({.path = directory.write("a.csv", text),
                      .target = "label",
                      .parts = {.val_fraction = 0.25, .test_fraction = 0.1},
                      .loading = {.batch_size = 5}});
  data.setup(RunKind::fit);
  CHECK(data.train_split()[0].sizes() == at::IntArrayRef({26, 2}));
  CHECK(data.val_split()[0].size(0) == 10);
  CHECK(data.test_split()[0].size(0) == 4);
  const auto batch = data.train_dataloader()->next();
  CHECK((*batch)["input"].scalar_type() == at::kFloat);
  CHECK((*batch)["target"].scalar_type() == at::kLong);
  std::vector<double> all;
  for (const DataSplit* part : {&data.train_split(), &data.val_split(), &data.test_split()}) {
    CHECK((*part)[0].select(1, 0).to(at::kLong).remainder(3).equal((*part)[1]));
    CHECK((*part)[0].select(1, 0).equal((*part)[0].select(1, 1).neg()));
    for (int64_t i = 0; i < (*part)[0].size(0); ++i)
      all.push_back((*part)[0][i][0].item().toDouble());
  }
  std::sort(all.begin(), all.end());
  for (int i = 0; i < 40; ++i) CHECK(all.at(i) == i);
}

TEST_CASE("chosen CSV columns keep the given order, with a number as the target") {
  const TempDir directory;
  CsvDataModule data({.path = directory.write("a.csv", "a,b,c\n1,2,0.5\n3,4,1.5\n"),
                      .target = "c",
                      .features = {"b", "a"},
                      .classes = false,
                      .parts = {.val_fraction = 0.0, .test_fraction = 0.0}});
  data.setup(RunKind::fit);
  CHECK(data.train_split()[0].equal(at::tensor({2.0F, 1.0F, 4.0F, 3.0F}).view({2, 2})));
  CHECK(data.train_split()[1].equal(at::tensor({0.5F, 1.5F}).view({2, 1})));
  CHECK(data.val_dataloaders().empty());
}

TEST_CASE(
    "a missing CSV column, an invalid class and fractions that leave no training rows are "
    "refused") {
  const TempDir directory;
  const auto path = directory.write("a.csv", "height,label\n1,0\n2,0.5\n");
  CsvDataModule missing({.path = path, .target = "lable"});
  CHECK_THROWS_WITH(missing.setup(RunKind::fit),
                    Contains("'lable'") && Contains("did you mean 'label'"));
  CsvDataModule fraction({.path = path, .target = "label"});
  CHECK_THROWS_WITH(fraction.setup(RunKind::fit),
                    Contains("row 2, column 'label': 0.5 is not a class"));
  CsvDataModule shares(
      {.path = path, .target = "height", .parts = {.val_fraction = 0.5, .test_fraction = 0.5}});
  CHECK_THROWS_WITH(shares.setup(RunKind::fit), Contains("together below 1"));
}

}  // namespace csv_test
