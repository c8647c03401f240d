#include <dlfcn.h>

#include <stdexcept>

#include <grapnel/testkit/recording_host.h>

namespace grapnel::testkit {

PluginFile::PluginFile(const std::filesystem::path& path) {
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) throw std::runtime_error(dlerror());
  entry_ = static_cast<const grapnel_plugin*>(dlsym(library, GRAPNEL_PLUGIN_SYMBOL_NAME));
  if (entry_ == nullptr) throw std::runtime_error(path.string() + " has no entry");
}

}  // namespace grapnel::testkit
