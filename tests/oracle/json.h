// Small helpers over base's JSON documents, which keep the order of an object's keys as the
// recordings do.
//
// Numbers that are not finite stand as the strings "nan", "inf" and "-inf", in the recordings and in
// what number() makes.
#pragma once

#include <grapnel/base/json.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace grapnel::oracle {

using Json = grapnel::ConfigValue;

// A double as the recordings write it.
Json number(double value);

// number() of each.
Json numbers(const std::vector<double>& values);

// Is it a number, or one of the strings that stand for one?
bool is_number(const Json& value);

// The member's value, or the fallback when there is no such member or it is null.
std::string text_or(const Json& object, std::string_view key, std::string_view fallback);
std::int64_t int_or(const Json& object, std::string_view key, std::int64_t fallback);
bool flag_or(const Json& object, std::string_view key, bool fallback);

// The member, or a null value when there is none.
const Json& get(const Json& object, std::string_view key);

// The elements of an array; none when the value is null.
const Json::Array& items(const Json& value);

// The members of an object; none when the value is null.
const Json::Object& members(const Json& value);

// The document with `from` replaced by `to` in every string, keys included.
Json replace_text(const Json& value, std::string_view from, std::string_view to);
std::string replace_all(std::string text, std::string_view from, std::string_view to);

// The document in one line, cut after `max_bytes`.
std::string brief(const Json& value, std::size_t max_bytes = 300);

}  // namespace grapnel::oracle
