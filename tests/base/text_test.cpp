#include <grapnel/base/text.h>

#include <random>

#include "catch.h"

namespace text_test {

using namespace grapnel;

namespace {
const std::vector<std::string> trainer_keys = {"max_epochs",          "min_epochs", "max_steps",
                                               "limit_train_batches", "precision",  "seed"};
}

TEST_CASE("edit distance counts insertions, deletions, substitutions and swaps as one each") {
  CHECK(edit_distance("", "abc") == 3);
  CHECK(edit_distance("patience", "patience") == 0);
  CHECK(edit_distance("patiense", "patience") == 1);
  CHECK(edit_distance("pateince", "patience") == 1);
  CHECK(edit_distance("ca", "abc") == 3);  // optimal string alignment edits no substring twice
  CHECK(edit_distance("kitten", "sitting") == 3);
}

TEST_CASE("edit distance is symmetric and bounded by the longer text") {
  const auto seed = std::random_device()();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  const auto word = [&] {
    std::string text;
    for (auto n = random() % 12; n > 0; --n) text += static_cast<char>('a' + random() % 4);
    return text;
  };
  for (int i = 0; i < 500; ++i) {
    const std::string a = word();
    const std::string b = word();
    const std::size_t distance = edit_distance(a, b);
    CHECK(distance == edit_distance(b, a));
    CHECK(distance <= std::max(a.size(), b.size()));
    CHECK((distance == 0) == (a == b));
  }
}

TEST_CASE("the nearest name to a misspelt one is the one that was meant") {
  CHECK(nearest("max_epoch", trainer_keys) == "max_epochs");
  CHECK(nearest("mxa_epochs", trainer_keys) == "max_epochs");
  CHECK(nearest("Max-Epochs", trainer_keys) == "max_epochs");
  CHECK(nearest("limit_train_batch", trainer_keys) == "limit_train_batches");
  CHECK(nearest("steps", trainer_keys) == "max_steps");
  CHECK(nearest("seed", trainer_keys) == "seed");
}

TEST_CASE("no name is suggested when none is similar") {
  CHECK_FALSE(nearest("colour", trainer_keys));
  CHECK_FALSE(nearest("", trainer_keys));
  CHECK_FALSE(nearest("epochs", trainer_keys));  // two of them end so
  CHECK_FALSE(nearest("x", {"a", "b"}));
  CHECK_FALSE(nearest("max_epochs", std::vector<std::string>{}));
  CHECK_FALSE(nearest(std::string(100'000, 'a'), trainer_keys));
}

TEST_CASE("a message about an unknown name ends with the name that was meant, if there is one") {
  CHECK(did_you_mean("max_epoch", trainer_keys) == "; did you mean 'max_epochs'?");
  CHECK(did_you_mean("meam", {"mean", "sum"}) == "; did you mean 'mean'?");
  CHECK(did_you_mean("colour", trainer_keys).empty());
  CHECK(did_you_mean(nearest("max_epoch", trainer_keys)) == "; did you mean 'max_epochs'?");
  CHECK(did_you_mean(std::nullopt).empty());
}

TEST_CASE("lists of names read as a sentence") {
  const std::vector<std::string> names = {"a", "b", "c"};
  CHECK(join(names) == "a, b, c");
  CHECK(join(names, "/") == "a/b/c");
  CHECK(join_quoted(names) == "'a', 'b' or 'c'");
  CHECK(join_quoted(std::vector<std::string>{"a", "b"}, "and") == "'a' and 'b'");
  CHECK(join_quoted(std::vector<std::string>{"a"}) == "'a'");
  CHECK(join_quoted(std::vector<std::string>{}).empty());
}

TEST_CASE("printable text cannot drive a terminal or disguise itself") {
  CHECK(printable("plain text, naïve, 日本語, 🎣") == "plain text, naïve, 日本語, 🎣");
  CHECK(printable("\x1b[2J") == "\\x1b[2J");
  CHECK(printable("a\nb\tc\rd") == "a\\nb\\tc\\rd");
  CHECK(printable(std::string_view("\0", 1)) == "\\x00");
  CHECK(printable("\x7f") == "\\x7f");
  CHECK(printable("\xc2\x9b"
                  "31m") == "\\u009b31m");                  // the one-byte form of ESC [
  CHECK(printable("gpj.\u202e.exe") == "gpj.\\u202e.exe");  // right-to-left override
  CHECK(printable("a\u200b\u2066b\ufeff") == "a\\u200b\\u2066b\\ufeff");
  CHECK(printable("\U000e0041") == "\\U000e0041");  // an invisible tag
  CHECK(printable("\xff\xc3(\xe2\x82") == "\\xff\\xc3(\\xe2\\x82");
  CHECK(quote("it\x07") == "'it\\x07'");
}

TEST_CASE("printable text of any bytes is UTF-8 without control characters") {
  const auto seed = std::random_device()();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  for (int i = 0; i < 2000; ++i) {
    std::string bytes;
    for (auto n = random() % 20; n > 0; --n) bytes += static_cast<char>(random());
    const std::string text = printable(bytes);
    CHECK(is_utf8(text));
    CHECK(std::none_of(text.begin(), text.end(),
                       [](unsigned char c) { return c < 0x20 || c == 0x7f; }));
    CHECK(printable(text) == text);
  }
}

TEST_CASE("long text is cut, and says so") {
  CHECK(printable(std::string(10, 'a'), 4) == "aaaa...");
  CHECK(printable(std::string(4, 'a'), 4) == "aaaa");
}

TEST_CASE("UTF-8 is recognized strictly") {
  CHECK(is_utf8(""));
  CHECK(is_utf8("é€🎣"));
  CHECK_FALSE(is_utf8("\xc0\x80"));          // overlong
  CHECK_FALSE(is_utf8("\xe0\x80\x80"));      // overlong
  CHECK_FALSE(is_utf8("\xed\xa0\x80"));      // surrogate
  CHECK_FALSE(is_utf8("\xf4\x90\x80\x80"));  // past U+10FFFF
  CHECK_FALSE(is_utf8("\xe2\x82"));          // cut
  CHECK_FALSE(is_utf8("\x80"));
}

TEST_CASE("sizes, counts and durations are shown as a short number with a unit") {
  CHECK(human_bytes(0) == "0 B");
  CHECK(human_bytes(1023) == "1023 B");
  CHECK(human_bytes(1024) == "1.0 KiB");
  CHECK(human_bytes(1536) == "1.5 KiB");
  CHECK(human_bytes(200 * 1024 * 1024) == "200 MiB");
  CHECK(human_bytes(1024 * 1024 - 1) == "1.0 MiB");
  CHECK(human_bytes(UINT64_MAX) == "16.0 EiB");
  CHECK(human_count(999) == "999");
  CHECK(human_count(1234) == "1.2 K");
  CHECK(human_count(99'999) == "100.0 K");
  CHECK(human_count(999'999) == "999 K");
  CHECK(human_count(1'000'000) == "1.0 M");
  CHECK(human_count(5'000'000'000'000'000) == "5,000 T");
  CHECK(human_count(7'000'000'000) == "7.0 B");
  CHECK(human_seconds(0.83) == "830 ms");
  CHECK(human_seconds(12.34) == "12.3 s");
  CHECK(human_seconds(245) == "4 min 05 s");
  CHECK(human_seconds(7380) == "2 h 03 min");
  CHECK(human_seconds(3 * 86400 + 4 * 3600) == "3 d 04 h");
}

TEST_CASE("durations are read as DD:HH:MM:SS and nothing else") {
  CHECK(parse_duration("00:12:00:00") == 12 * 3600);
  CHECK(parse_duration("01:02:03:04") == 93784);
  CHECK(parse_duration(" 123:00:00:01 ") == 123 * 86400 + 1);
  CHECK(parse_duration("1:00:00:00") == 86400);
  CHECK(parse_duration("00:25:61:61") == 25 * 3600 + 61 * 60 + 61);
  for (const char* bad :
       {"", "12:00:00", "-1:00:00:00", "00:1:00:00", "00:00:00:0a", "a:00:00:00", ":00:00:00",
        "+1:00:00:00", "99999999999999999999:00:00:00", "00:-1:00:00", "00:00:00:00:00"}) {
    INFO(bad);
    CHECK_FALSE(parse_duration(bad));
  }
  CHECK(parse_duration("11574:01:46:40") == 1'000'000'000);
}

}  // namespace text_test
