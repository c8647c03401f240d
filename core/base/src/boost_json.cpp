// Boost.JSON, compiled here once, so that nothing that uses base links libboost_json.
#include <boost/json/src.hpp>
