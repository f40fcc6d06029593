#include "adapters/redis/scripts.hpp"

#include "base/error.hpp"
#include "script_texts.hpp"  // made by the build

namespace doorbuster::redis {

ScriptSet::ScriptSet(std::string_view time_source) {
  static_assert(std::size(kScriptTexts) == kScripts);
  for (std::size_t i = 0; i < kScripts; ++i) {
    texts_[i] = std::string(time_source) + kScriptTexts[i];
  }
}

const ScriptSet& ScriptSet::production() {
  static const ScriptSet set;
  return set;
}

}  // namespace doorbuster::redis
