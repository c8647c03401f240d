#include "grapnel/loggers/registry.h"

#include "grapnel/loggers/csv_logger.h"
#include "grapnel/loggers/json_lines_logger.h"
#include "grapnel/loggers/tensorboard_logger.h"

namespace grapnel {

namespace {

template <class T>
constexpr LoggerRegistry::Entry logger_row() {
  return {[]() -> const ParameterTable& { return T::options_table().parameters(); },
          [](const Parameters& parameters) -> std::shared_ptr<Logger> {
            return std::make_shared<T>(T::options_table().read(parameters));
          },
          &typeid(T)};
}

// In the order of the names.
// clang-format off
constexpr LoggerRegistry::Entry kLoggers[] = {
    logger_row<CSVLogger>(),
    logger_row<JsonLinesLogger>(),
    logger_row<TensorBoardLogger>(),
};
// clang-format on

}  // namespace

const LoggerRegistry& logger_registry() {
  static constexpr LoggerRegistry registry("logger", kLoggers, RegistryNames::by_class, "logger");
  return registry;
}

std::shared_ptr<Logger> make_logger(std::string_view name, const ConfigValue& config,
                                    std::string_view context) {
  return logger_registry().make(name, config, context);
}

}  // namespace grapnel
