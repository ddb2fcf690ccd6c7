<?xml version="1.0" encoding="utf-8" ?>
<ogr:FeatureCollection
     gml:id="aFeatureCollection"
     xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
     xsi:schemaLocation="http://ogr.maptools.org/ cities.xsd"
     xmlns:ogr="http://ogr.maptools.org/"
     xmlns:gml="http://www.opengis.net/gml/3.2">
  <gml:boundedBy><gml:Envelope srsName="urn:ogc:def:crs:EPSG::4326"><gml:lowerCorner>48.14 6.95</gml:lowerCorner><gml:upperCorner>54.3 11.58</gml:upperCorner></gml:Envelope></gml:boundedBy>
                                                                                                                                                                
  <ogr:featureMember>
    <ogr:src gml:id="src.0">
      <gml:boundedBy><gml:Envelope srsName="urn:ogc:def:crs:EPSG::4326"><gml:lowerCorner>50.94 6.95</gml:lowerCorner><gml:upperCorner>50.94 6.95</gml:upperCorner></gml:Envelope></gml:boundedBy>
      <ogr:geometryProperty><gml:Point srsName="urn:ogc:def:crs:EPSG::4326" gml:id="src.geom.0"><gml:pos>50.94 6.95</gml:pos></gml:Point></ogr:geometryProperty>
      <ogr:id>001</ogr:id>
      <ogr:name>Köln</ogr:name>
      <ogr:population>1086</ogr:population>
      <ogr:share>0.10</ogr:share>
      <ogr:x>6.95</ogr:x>
      <ogr:y>50.94</ogr:y>
    </ogr:src>
  </ogr:featureMember>
  <ogr:featureMember>
    <ogr:src gml:id="src.1">
      <gml:boundedBy><gml:Envelope srsName="urn:ogc:def:crs:EPSG::4326"><gml:lowerCorner>54.3 8.65</gml:lowerCorner><gml:upperCorner>54.3 8.65</gml:upperCorner></gml:Envelope></gml:boundedBy>
      <ogr:geometryProperty><gml:Point srsName="urn:ogc:def:crs:EPSG::4326" gml:id="src.geom.1"><gml:pos>54.3 8.65</gml:pos></gml:Point></ogr:geometryProperty>
      <ogr:id>002</ogr:id>
      <ogr:name>Sankt &quot;Peter&quot;, Ort</ogr:name>
      <ogr:population>3842</ogr:population>
      <ogr:share>1.50</ogr:share>
      <ogr:x>8.65</ogr:x>
      <ogr:y>54.3</ogr:y>
    </ogr:src>
  </ogr:featureMember>
  <ogr:featureMember>
    <ogr:src gml:id="src.2">
      <gml:boundedBy><gml:Envelope srsName="urn:ogc:def:crs:EPSG::4326"><gml:lowerCorner>48.14 11.58</gml:lowerCorner><gml:upperCorner>48.14 11.58</gml:upperCorner></gml:Envelope></gml:boundedBy>
      <ogr:geometryProperty><gml:Point srsName="urn:ogc:def:crs:EPSG::4326" gml:id="src.geom.2"><gml:pos>48.14 11.58</gml:pos></gml:Point></ogr:geometryProperty>
      <ogr:id>003</ogr:id>
      <ogr:name>München 🍺</ogr:name>
      <ogr:population>1512</ogr:population>
      <ogr:share></ogr:share>
      <ogr:x>11.58</ogr:x>
      <ogr:y>48.14</ogr:y>
    </ogr:src>
  </ogr:featureMember>
</ogr:FeatureCollection>
