#include <grapnel/base/text.h>
#include <grapnel/base/utf8.h>

#include "catch.h"

namespace utf8_test {

using namespace grapnel;

TEST_CASE("valid UTF-8 stays as it is, control characters and NUL included") {
  const std::string text("a\0\n\x1b größer \xf0\x9f\x8c\x99 \xef\xbf\xbd", 22);
  CHECK(to_utf8(text) == text);
  CHECK(to_utf8("").empty());
}

TEST_CASE("each byte that belongs to no UTF-8 becomes a replacement character") {
  CHECK(to_utf8("val\xff_loss") == "val\xef\xbf\xbd_loss");
  CHECK(to_utf8("\xc3(") == "\xef\xbf\xbd(");                 // cut off in the middle
  CHECK(to_utf8("\xed\xa0\x80") == to_utf8("\xff\xff\xff"));  // a surrogate
  CHECK(to_utf8("\xe2\x82") == to_utf8("\xff\xff"));
  CHECK(is_utf8(to_utf8("\xf0\x9f\x8c a \xc0\x80 b \xfe")));
}

TEST_CASE("a path's text is its UTF-8") {
  CHECK(path_text(std::filesystem::path(u8"größer") / "a.ckpt") ==
        (std::filesystem::path("größer") / "a.ckpt").string());
  CHECK(path_text({}).empty());
}

}  // namespace utf8_test
