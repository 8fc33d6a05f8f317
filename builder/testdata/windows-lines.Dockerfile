# escape=`
# check=skip=all
FROM base as Win
RUN dir c:\ `
  && echo done
SHELL ["cmd", "/S", "/C"]
ENV A=c:\x B=d`"e
ENV OLD some value with  spaces  
ONBUILD RUN <<E
x
E
MAINTAINER Some One <a@b>
