#include "grapnel/loggers/registry.h"

#include "grapnel/loggers/csv_logger.h"
#include "grapnel/loggers/json_lines_logger.h"
#include "grapnel/loggers/tensorboard_logger.h"
#include "registry/named_registry.h"

namespace grapnel {

namespace {

template <class T>
std::shared_ptr<Logger> make(const Parameters& parameters) {
  return T::from(parameters);
}

template <class T>
constexpr LoggerEntry row() {
  return {&T::parameters, &make<T>};
}

// In the order of the names.
// clang-format off
constexpr LoggerEntry kLoggers[] = {
    row<CSVLogger>(),
    row<JsonLinesLogger>(),
    row<TensorBoardLogger>(),
};
// clang-format on

constexpr std::string_view kSuffix = "logger";  // "CSVLogger" is "csv"

}  // namespace

std::span<const LoggerEntry> logger_registry() {
  return kLoggers;
}

const LoggerEntry* find_logger_entry(std::string_view name) {
  return find_entry(logger_registry(), name, kSuffix);
}

std::shared_ptr<Logger> make_logger(std::string_view name, const ConfigValue& config,
                                    std::string_view context) {
  return make_entry(logger_registry(), "logger", name, config, context, kSuffix);
}

}  // namespace grapnel
